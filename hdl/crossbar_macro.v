// A crossbar whose cells sample themselves, such as PCM cells behind comparators: what a layer's
// periphery sees of it. To synthesis this is a black box; in simulation the samples come from a
// file that golden drew (golden/devices/stream.py). Define OWN_CROSSBAR_MACRO to bring your own.
//
// Word lines are the rows. A read opens LANES_IN of them, those of `row_group`, each in a bank of
// its own, and LANES_OUT comparators, those of `column_group`, say in the next cycle whether the
// weight is +1: row s's bits at s*LANES_OUT. They stay until the next read. Cells that do not
// exist may say anything.
//
// Between two samples every cell says the same. `sample` comes with the last read of a member; the
// next read waits for `ready`. `on` is 0 while the core is stopped; nothing is read then.
//
// Plusargs: streams (folder of LAYER.stream), draw (cycles from `sample` to `ready`).
`ifndef OWN_CROSSBAR_MACRO
// verilator lint_off WIDTHEXPAND
// verilator lint_off WIDTHTRUNC
`ifdef SYNTHESIS
(* blackbox *)
`endif
module crossbar_macro #(
    parameter LAYER = "layer",
    parameter ROWS = 1,
    parameter COLUMNS = 1,
    parameter LANES_IN = 1,
    parameter LANES_OUT = 1,
    parameter ROW_GROUP_BITS = 1,
    parameter COLUMN_GROUP_BITS = 1
) (
    input clk,
    input on,
    output ready,
    input read,
    input sample,
    input [ROW_GROUP_BITS-1:0] row_group,
    input [COLUMN_GROUP_BITS-1:0] column_group,
    output reg [LANES_IN*LANES_OUT-1:0] weights
);
`ifndef SYNTHESIS
  localparam BYTES = (COLUMNS + 7) / 8;

  reg [8*BYTES-1:0] cells[0:ROWS-1];
  reg [8*BYTES-1:0] check;
  reg [127:0] header;
  reg [31:0] number, expected, waits, draw;
  reg [8*1024-1:0] folder, path;
  reg held = 0, failed = 0;
  integer file = 0, row, lane, count;

  assign ready = on && held && waits == 0;

  task fail(input [8*64-1:0] reason);
    if (!failed) begin
      $display("bench: crossbar macro %0s: %0s in %0s", LAYER, reason, path);
      failed = 1;
      $finish;
    end
  endtask

  // A record: its number, the word lines, their exclusive or.
  task next_sample;
    begin
      if (expected < header[31:0]) begin
        count = $fread(number, file);
        count = count + $fread(cells, file);
        count = count + $fread(check, file);
        for (row = 0; row < ROWS; row = row + 1) check = check ^ cells[row];
        if (count != 4 + (ROWS + 1) * BYTES) fail("a cut sample");
        else if (number != expected || check != 0) fail("a broken sample");
      end
      expected = expected + 1;
    end
  endtask

  task first_sample;
    begin
      if (file != 0) $fclose(file);
      file = $fopen(path, "rb");
      expected = 0;
      if (file == 0) fail("no samples");
      else begin
        count = $fread(header, file);
        if (count != 16 || header[127:96] != "BBNN") fail("no header");
        else if (header[95:64] != ROWS || header[63:32] != COLUMNS) fail("another layer");
        else next_sample;
      end
    end
  endtask

  initial begin
    waits = 0;
    if (!$value$plusargs("draw=%d", draw)) draw = 0;
    if (!$value$plusargs("streams=%s", folder)) folder = ".";
    $sformat(path, "%0s/%0s.stream", folder, LAYER);
  end

  always @(posedge clk) begin
    if (waits != 0) waits <= waits - 1;
    if (read) begin
      if (!ready) fail("a read too early");
      // The sample after the last one may be asked for, but not read.
      if (expected > header[31:0]) fail("too few samples");
      weights <= ~0;
      for (lane = 0; lane < LANES_IN; lane = lane + 1)
        if (row_group * LANES_IN + lane < ROWS)
          weights[lane*LANES_OUT+:LANES_OUT] <=
              cells[row_group*LANES_IN+lane] >> (column_group * LANES_OUT);
    end
    held <= on;
    if (on && !held) first_sample;
    else if (sample) begin
      next_sample;
      waits <= draw;
    end
  end
`endif
endmodule
// verilator lint_on WIDTHEXPAND
// verilator lint_on WIDTHTRUNC
`endif
