// An AXI4-Lite master for one transaction at a time: `order` differs from `answered` while one runs.
//
// Address and data of a write set out independently, and stalls delay every handshake. What a slave
// must not do ends the simulation: answer unasked, take back or change an answer, give unknown bits.
`timescale 1ns / 1ps

module lite_master (
    input wire clk,
    input wire aresetn,
    input wire [3:0] stall,
    // A transaction: set the fields, invert `order`, wait until `answered` equals it.
    input wire order,
    input wire write,
    input wire [11:0] address,
    input wire [31:0] data,
    input wire [3:0] strobe,
    output reg answered,
    output reg [1:0] response,
    output reg [31:0] result,
    // The port.
    output reg [11:0] awaddr,
    output reg awvalid,
    input wire awready,
    output reg [31:0] wdata,
    output reg [3:0] wstrb,
    output reg wvalid,
    input wire wready,
    input wire [1:0] bresp,
    input wire bvalid,
    output reg bready,
    output reg [11:0] araddr,
    output reg arvalid,
    input wire arready,
    input wire [31:0] rdata,
    input wire [1:0] rresp,
    input wire rvalid,
    output reg rready
);
  localparam [15:0] PATIENCE = 1000;

  // A channel is due until it has set out; an answer is owed until it has come.
  reg started, aw_due, w_due, ar_due, b_owed, r_owed, b_offered, r_offered;
  reg [1:0] b_offer;
  reg [33:0] r_offer;
  reg [15:0] waiting = 0;
  wire b_early = !b_owed || aw_due || w_due || awvalid || wvalid;
  wire r_early = !r_owed || ar_due || arvalid;

  initial begin
    {started, answered, awvalid, wvalid, bready, arvalid, rready} = 0;
    {aw_due, w_due, ar_due, b_owed, r_owed, b_offered, r_offered} = 0;
  end

  always @(posedge clk)
    if (!aresetn) begin
      {awvalid, wvalid, bready, arvalid, rready} <= 0;
      {aw_due, w_due, ar_due, b_owed, r_owed, b_offered, r_offered} <= 0;
      started <= order;
      answered <= order;
    end else begin
      if (started != order) begin
        started <= order;
        {aw_due, w_due, b_owed} <= {3{write}};
        {ar_due, r_owed} <= {2{!write}};
      end
      if (awready) awvalid <= 0;
      if (aw_due && !stall[0]) {aw_due, awvalid, awaddr} <= {2'b01, address};
      if (wready) wvalid <= 0;
      if (w_due && !stall[1]) {w_due, wvalid, wdata, wstrb} <= {2'b01, data, strobe};
      if (arready) arvalid <= 0;
      if (ar_due && !stall[0]) {ar_due, arvalid, araddr} <= {2'b01, address};
      bready <= !stall[2];
      rready <= !stall[3];

      b_offered <= bvalid && !bready;
      b_offer <= bresp;
      r_offered <= rvalid && !rready;
      r_offer <= {rresp, rdata};
      if ((^{awready, wready, bvalid, arready, rvalid}) === 1'bx) begin
        $display("bench: a handshake of s_axi is unknown");
        $finish;
      end
      if (bvalid && b_early || rvalid && r_early) begin
        $display("bench: s_axi answers what it has not taken");
        $finish;
      end
      if (b_offered && (!bvalid || bresp !== b_offer)
          || r_offered && (!rvalid || {rresp, rdata} !== r_offer)) begin
        $display("bench: s_axi changed its answer before it was taken");
        $finish;
      end
      if (rvalid && (^{rresp, rdata}) === 1'bx) begin
        $display("bench: s_axi reads %b at %h", rdata, araddr);
        $finish;
      end

      waiting <= order == answered || bvalid && bready || rvalid && rready ? 0 : waiting + 1;
      if (waiting == PATIENCE) begin
        $display("bench: s_axi gives no answer for %0d cycles", PATIENCE);
        $finish;
      end
      if (bvalid && bready) begin
        b_owed <= 0;
        response <= bresp;
        answered <= order;
      end
      if (rvalid && rready) begin
        r_owed <= 0;
        response <= rresp;
        result <= rdata;
        answered <= order;
      end
    end
endmodule
