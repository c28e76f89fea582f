// A memory behind AXI3: `2**BITS` words of 8 bytes from BASE on, and DECERR elsewhere.
//
// Reads are answered `latency` cycles after their address at the earliest, in order; up to eight
// bursts each way wait. What AXI3 or the port forbids ends the simulation: a burst across 4 KB or
// of another kind than whole incrementing words, WLAST or an id in the wrong place.
`timescale 1ns / 1ps

module memory #(
    parameter [31:0] BASE = 32'h1000_0000,
    parameter BITS = 18
) (
    input wire clk,
    input wire rst,
    input wire [3:0] stall,
    input wire [31:0] araddr,
    input wire [3:0] arlen,
    input wire [1:0] arsize,
    input wire [1:0] arburst,
    input wire [5:0] arid,
    input wire arvalid,
    output wire arready,
    output reg [5:0] rid,
    output reg [63:0] rdata,
    output reg [1:0] rresp,
    output reg rlast,
    output reg rvalid,
    input wire rready,
    input wire [31:0] awaddr,
    input wire [3:0] awlen,
    input wire [1:0] awsize,
    input wire [1:0] awburst,
    input wire [5:0] awid,
    input wire awvalid,
    output wire awready,
    input wire [5:0] wid,
    input wire [63:0] wdata,
    input wire [7:0] wstrb,
    input wire wlast,
    input wire wvalid,
    output wire wready,
    output reg [5:0] bid,
    output reg [1:0] bresp,
    output reg bvalid,
    input wire bready
);
  localparam [1:0] DECERR = 2'b11;
  integer i, lane;

  reg [63:0] content[0:(1<<BITS)-1];
  reg [31:0] latency;
  initial
    for (i = 0; i < 1 << BITS; i = i + 1) content[i] = 64'hA5A5_A5A5_A5A5_A5A5;  // not zero
  initial if (!$value$plusargs("latency=%d", latency)) latency = 20;

  function [BITS-1:0] place(input [31:0] address);
    place = (address - BASE) >> 3;
  endfunction

  function owns(input [31:0] address);
    owns = (address - BASE) >> (BITS + 3) == 0;
  endfunction

  function wrong(input [31:0] address, input [3:0] length, input [1:0] size, input [1:0] burst);
    wrong = size != 3 || burst != 1 || address[2:0] != 0
        || {1'b0, address[11:3]} + length > 10'd511;
  endfunction

  // Bursts that wait, in rings of eight.
  reg [31:0] now;
  reg [31:0] read_address[0:7], read_ready[0:7], write_address[0:7];
  reg [3:0] read_left[0:7], write_left[0:7];
  reg [5:0] read_id[0:7], write_id[0:7];
  reg [3:0] read_in, read_out, write_in, write_out;
  wire [2:0] r = read_out[2:0], w = write_out[2:0];
  reg failed;

  assign arready = !rst && !stall[0] && read_in - read_out != 4'd8;
  assign awready = !rst && !stall[1] && write_in - write_out != 4'd8;
  assign wready  = !rst && !stall[2] && write_in != write_out && !bvalid;

  always @(posedge clk)
    if (rst) begin
      {now, read_in, read_out, write_in, write_out, rvalid, bvalid, failed} <= 0;
      {rid, rdata, rresp, rlast, bid, bresp} <= 0;
    end else begin
      now <= now + 1;
      if (arvalid && wrong(araddr, arlen, arsize, arburst)
          || awvalid && wrong(awaddr, awlen, awsize, awburst)) begin
        $display("bench: HP0 asks for a burst that is not allowed: %h %h", araddr, awaddr);
        $finish;
      end

      if (arvalid && arready) begin
        read_address[read_in[2:0]] <= araddr;
        read_ready[read_in[2:0]] <= now + latency;
        read_left[read_in[2:0]] <= arlen;
        read_id[read_in[2:0]] <= arid;
        read_in <= read_in + 1;
      end
      if (!rvalid || rready) begin
        rvalid <= 0;
        if (read_in != read_out && $signed(now - read_ready[r]) >= 0 && !stall[3]) begin
          rvalid <= 1;
          rdata <= content[place(read_address[r])];
          rresp <= owns(read_address[r]) ? 2'b00 : DECERR;
          rlast <= read_left[r] == 0;
          rid <= read_id[r];
          read_address[r] <= read_address[r] + 8;
          read_left[r] <= read_left[r] - 1;
          if (read_left[r] == 0) read_out <= read_out + 1;
        end
      end

      if (awvalid && awready) begin
        write_address[write_in[2:0]] <= awaddr;
        write_left[write_in[2:0]] <= awlen;
        write_id[write_in[2:0]] <= awid;
        write_in <= write_in + 1;
      end
      if (bready) bvalid <= 0;
      if (wvalid && wready) begin
        if (wlast != (write_left[w] == 0) || wid != write_id[w]) begin
          $display("bench: HP0 writes with WLAST or WID in the wrong place");
          $finish;
        end
        if (owns(write_address[w])) begin
          for (lane = 0; lane < 8; lane = lane + 1)
            if (wstrb[lane]) content[place(write_address[w])][8*lane+:8] <= wdata[8*lane+:8];
        end else failed <= 1;
        write_address[w] <= write_address[w] + 8;
        write_left[w] <= write_left[w] - 1;
        if (wlast) begin
          write_out <= write_out + 1;
          bvalid <= 1;
          bid <= write_id[w];
          bresp <= failed || !owns(write_address[w]) ? DECERR : 2'b00;
          failed <= 0;
        end
      end
    end
endmodule
