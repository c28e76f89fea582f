// An AXI4-Stream master that plays the codes of one layer over and over while `go` is high, from
// their start each time: a beat of 64 bits a line of the file NAME_codes.hex in the folder +codes=.
`timescale 1ns / 1ps

module code_source #(
    parameter NAME = ""
) (
    input wire clk,
    input wire go,
    input wire stall,
    output reg [63:0] tdata,
    output reg tvalid,
    input wire tready
);
  reg [8*1024-1:0] folder, path;
  reg [63:0] beat;
  reg playing = 0;
  integer file, count;

  initial begin
    if (!$value$plusargs("codes=%s", folder)) folder = ".";
    $sformat(path, "%0s/%0s_codes.hex", folder, NAME);
    tvalid = 0;
    tdata = 0;
  end

  task open;
    begin
      file = $fopen(path, "r");
      if (file == 0) begin
        $display("bench: cannot read %0s", path);
        $finish;
      end
    end
  endtask

  always @(posedge clk) begin
    if (go && !playing) open;
    if (!go && playing) $fclose(file);
    playing <= go;
    if (!go) tvalid <= 0;
    else if (playing && (!tvalid || tready)) begin
      if (!stall) begin
        count = $fscanf(file, "%h", beat);
        if (count != 1) begin
          $fclose(file);
          open;
          count = $fscanf(file, "%h", beat);
        end
        tdata <= beat;
      end
      tvalid <= !stall;
    end
  end
endmodule
