// An AXI4-Stream master that plays beats from a file while `go` is high, from its start each time.
//
// A beat is 8 bytes in the file, big-endian: TLAST in the lowest bit of a word, then TDATA.
`timescale 1ns / 1ps

module stream_source (
    input wire clk,
    input wire go,
    input wire stall,
    output reg [31:0] tdata,
    output reg tvalid,
    output reg tlast,
    input wire tready
);
  reg [8*1024-1:0] path;
  reg [63:0] beat;
  reg playing = 0;
  integer file, count;

  initial begin
    if (!$value$plusargs("input=%s", path)) path = "";
    tvalid = 0;
    tdata = 0;
    tlast = 0;
  end

  always @(posedge clk) begin
    if (go && !playing) begin
      file = $fopen(path, "rb");
      if (file == 0) begin
        $display("bench: cannot read %0s", path);
        $finish;
      end
    end
    if (!go && playing) $fclose(file);
    playing <= go;
    if (!go) tvalid <= 0;
    else if (playing && (!tvalid || tready)) begin
      count = 0;
      if (!stall) count = $fread(beat, file);
      tvalid <= count == 8;
      if (count == 8) {tlast, tdata} <= beat[32:0];
    end
  end
endmodule
