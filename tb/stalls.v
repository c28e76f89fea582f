// Pseudo-random stalls: each bit of `stall` is high in about `rate` of 256 cycles.
//
// A 32-bit xorshift generator (Marsaglia 2003, shifts 13, 17, 5) gives four bytes a cycle, the same
// ones under every simulator.
`timescale 1ns / 1ps

module stalls (
    input wire clk,
    input wire [31:0] seed,
    input wire [8:0] rate,
    output wire [3:0] stall
);
  reg [31:0] state = 0;
  wire [31:0] a = state ^ (state << 13);
  wire [31:0] b = a ^ (a >> 17);

  always @(posedge clk) state <= state == 0 ? seed : b ^ (b << 5);

  assign stall[0] = {1'b0, state[7:0]} < rate;
  assign stall[1] = {1'b0, state[15:8]} < rate;
  assign stall[2] = {1'b0, state[23:16]} < rate;
  assign stall[3] = {1'b0, state[31:24]} < rate;
endmodule
