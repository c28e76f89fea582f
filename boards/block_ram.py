"""A model of the block RAM for simulations of a netlist, since Yosys has none that computes.

Written from Xilinx UG473, "7 Series FPGAs Memory Resources": two ports of 1 to 36 bits (18 in half
a block RAM), or one that reads and one that writes 72 (36). A byte has a parity bit beside it. An
address counts bits of data, so a word of 2^n of them ignores the lowest n address bits. What the
mapping of this project never uses stops the simulation: output set or reset, output registers, and
a port that shows what it writes.
"""

from __future__ import annotations

__all__ = ["model"]

PORTS = """\
  input CLKARDCLK, CLKBWRCLK, ENARDEN, ENBWREN, REGCEAREGCE, REGCEB,
  input RSTRAMARSTRAM, RSTRAMB, RSTREGARSTREG, RSTREGB,
  input [{address}:0] ADDRARDADDR, ADDRBWRADDR,
  input [{data}:0] DIADI, DIBDI,
  input [{bytes}:0] DIPADIP, DIPBDIP,
  input [{bytes}:0] WEA,
  input [{enables}:0] WEBWE,
  output [{data}:0] DOADO, DOBDO,
  output [{bytes}:0] DOPADOP, DOPBDOP
"""
PARAMETERS = """\
  parameter READ_WIDTH_A = 0, READ_WIDTH_B = 0, WRITE_WIDTH_A = 0, WRITE_WIDTH_B = 0;
  parameter DOA_REG = 0, DOB_REG = 0, RAM_MODE = "TDP";
  parameter WRITE_MODE_A = "READ_FIRST", WRITE_MODE_B = "READ_FIRST";
  parameter RAM_EXTENSION_A = "NONE", RAM_EXTENSION_B = "NONE";
  parameter INIT_A = 0, INIT_B = 0, SRVAL_A = 0, SRVAL_B = 0;
  parameter IS_CLKARDCLK_INVERTED = 0, IS_CLKBWRCLK_INVERTED = 0, IS_ENARDEN_INVERTED = 0;
  parameter IS_ENBWREN_INVERTED = 0, IS_RSTRAMARSTRAM_INVERTED = 0, IS_RSTRAMB_INVERTED = 0;
  parameter IS_RSTREGARSTREG_INVERTED = 0, IS_RSTREGB_INVERTED = 0;
"""
BODY = """\
  function integer bits(input integer width);
    bits = width == 0 ? 1 : width < 9 ? width : width / 9 * 8;
  endfunction
  localparam WIDE = {wide};
  localparam RA = bits(READ_WIDTH_A), RB = bits(READ_WIDTH_B);
  localparam WA = bits(WRITE_WIDTH_A), WB = bits(WRITE_WIDTH_B);
  localparam SHOWS_A = READ_WIDTH_A != 0 && WRITE_WIDTH_A != 0 && WRITE_MODE_A != "READ_FIRST";
  localparam SHOWS_B = READ_WIDTH_B != 0 && WRITE_WIDTH_B != 0 && WRITE_MODE_B != "READ_FIRST";
  localparam INVERTED = IS_CLKARDCLK_INVERTED + IS_CLKBWRCLK_INVERTED + IS_ENARDEN_INVERTED
      + IS_ENBWREN_INVERTED;
  initial if (DOA_REG + DOB_REG + INVERTED != 0 || SHOWS_A || SHOWS_B) begin
    $display("bench: a block RAM is used in a way that its model has not");
    $finish;
  end

  wire [{last}:0] a = ADDRARDADDR[{last}:0], b = ADDRBWRADDR[{last}:0];
  // Two ports as wide as both together; what lies above their width is not connected.
  reg [WIDE-1:0] read_a = 0, read_b = 0;
  reg [WIDE/8-1:0] parity_a = 0, parity_b = 0;
  wire [WIDE-1:0] write_b = WB == WIDE ? {{DIBDI, DIADI}} : {{DIBDI, DIBDI}};
  wire [WIDE/8-1:0] ones_b = WB == WIDE ? {{DIPBDIP, DIPADIP}} : {{DIPBDIP, DIPBDIP}};
  assign DOADO = read_a[{data}:0], DOPADOP = parity_a[{bytes}:0];
  assign DOBDO = RA == WIDE ? read_a[WIDE-1:WIDE/2] : read_b[{data}:0];
  assign DOPBDOP = RA == WIDE ? parity_a[WIDE/8-1:WIDE/16] : parity_b[{bytes}:0];

  integer i;
  always @(posedge CLKARDCLK) if (ENARDEN) begin
    if (READ_WIDTH_A != 0 && RSTRAMARSTRAM) begin
      $display("bench: a block RAM is reset, which its model has not");
      $finish;
    end
    read_a <= data[a / RA * RA +: WIDE];
    parity_a <= parity[a / RA * RA / 8 +: WIDE / 8];
    if (WRITE_WIDTH_A != 0)
      for (i = 0; i < WA; i = i + 1)
        if (WEA[i/8]) begin
          data[a / WA * WA + i] <= DIADI[i];
          if (WA >= 8) parity[(a / WA * WA + i) / 8] <= DIPADIP[i/8];
        end
  end
  integer j;
  always @(posedge CLKBWRCLK) if (ENBWREN) begin
    if (READ_WIDTH_B != 0 && RSTRAMB) begin
      $display("bench: a block RAM is reset, which its model has not");
      $finish;
    end
    read_b <= data[b / RB * RB +: WIDE];
    parity_b <= parity[b / RB * RB / 8 +: WIDE / 8];
    if (WRITE_WIDTH_B != 0)
      for (j = 0; j < WB; j = j + 1)
        if (WEBWE[j/8]) begin
          data[b / WB * WB + j] <= write_b[j];
          if (WB >= 8) parity[(b / WB * WB + j) / 8] <= ones_b[j/8];
        end
  end
endmodule
"""


def model(kind: str) -> str:
    """Return the module `kind`, "RAMB18E1" or "RAMB36E1"."""
    half = kind == "RAMB18E1"
    address, width = (14, 16) if half else (15, 32)
    sizes = {
        # The whole one has an address bit more, for pairs, which are not used.
        "address": address - 1 if half else address,
        "last": address - 1,
        "data": width - 1,
        "bytes": width // 8 - 1,
        "enables": width // 4 - 1,
        "wide": 2 * width,
    }
    lines = [f"module {kind} (", PORTS.format(**sizes).rstrip(), ");", PARAMETERS.rstrip()]
    for name, start, bits in (
        ("data", "INIT", 1 << address),
        ("parity", "INITP", 1 << address - 3),
    ):
        parts = [f"{start}_{index:02X}" for index in range(bits // 256)]
        lines += [f"  parameter [255:0] {part} = 256'd0;" for part in parts]
        # Padded, since a narrow word is read with what lies above it.
        above = f"{2 * width}'d0"
        lines.append(
            f"  reg [{bits + 2 * width - 1}:0] {name} = {{{', '.join([above, *reversed(parts)])}}};"
        )
    return "\n".join([*lines, BODY.format(**sizes)])
