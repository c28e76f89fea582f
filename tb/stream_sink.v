// An AXI4-Stream slave that writes words to a file while `go` is high, a new file each time; at
// other times it drops them.
//
// A word is 8 bytes in the file: TDATA, then TLAST as a word, both in this machine's byte order.
// What a master must not do ends the simulation: take back or change an offer, offer unknown bits.
`timescale 1ns / 1ps

module stream_sink (
    input wire clk,
    input wire aresetn,
    input wire go,
    input wire stall,
    input wire [31:0] tdata,
    input wire tvalid,
    input wire tlast,
    output reg tready,
    output reg [63:0] words,
    output reg [63:0] packets
);
  reg [8*1024-1:0] path;
  reg recording = 0, offered = 0;
  reg [32:0] offer;
  integer file;

  initial begin
    if (!$value$plusargs("output=%s", path)) path = "";
    tready = 0;
    words = 0;
    packets = 0;
  end

  always @(posedge clk) begin
    tready <= !stall;
    offered <= aresetn && tvalid && !tready;
    offer <= {tlast, tdata};
    if (aresetn && offered && (tvalid !== 1 || offer !== {tlast, tdata})) begin
      $display("bench: m_axis changed its offer of word %0d before it was taken", words);
      $finish;
    end
    if (aresetn && tvalid !== 0 && (tvalid !== 1 || (^{tlast, tdata}) === 1'bx)) begin
      $display("bench: word %0d of m_axis is unknown: %b", words, {tvalid, tlast, tdata});
      $finish;
    end

    if (go && !recording) begin
      file = $fopen(path, "wb");
      if (file == 0) begin
        $display("bench: cannot write %0s", path);
        $finish;
      end
      words <= 0;
      packets <= 0;
    end
    if (!go && recording) $fclose(file);
    recording <= go;
    if (go && recording && tvalid && tready) begin
      $fwrite(file, "%u", {31'b0, tlast, tdata});
      if (tlast) $fflush(file);
      words <= words + 1;
      packets <= packets + {63'b0, tlast};
    end
  end
endmodule
