// The shell between a processor and a memory, for a driver on the other side of stdin and stdout.
//
// A command is a line "OP ADDRESS DATA" in hexadecimal; time stands still while none is there:
//
//   w address data     GP0 write              = response
//   r address 0        GP0 read               = response data
//   s address data     8 bytes into memory    (no answer)
//   l address count    so many out of it      = data, a line each
//   i 0 count          let cycles pass        = cycles since reset
//
// Once GP0 has given no answer for PATIENCE cycles, all accesses are answered with "-". The end of
// stdin ends the simulation, and so does a fault of the shell, after a line that begins with
// "bench:". Plusargs:
// rate (stalls in 256 cycles), seed (of the stalls), latency (cycles from a read's address to its
// data), held (the shell stays in reset, as with a bitstream that does not run).
`timescale 1ns / 1ps

module bench;
  localparam [31:0] STDIN = 32'h8000_0000;
  localparam [31:0] PATIENCE = 10000;

  reg clk = 0, rst = 1;
  always #5 clk = !clk;

  reg [63:0] cycle = 0;
  always @(posedge clk) cycle <= rst ? 0 : cycle + 1;

  reg [31:0] seed;
  reg [8:0] rate;
  reg held;
  initial begin
    if (!$value$plusargs("rate=%d", rate)) rate = 0;
    if (!$value$plusargs("seed=%d", seed)) seed = 1;
    held = $test$plusargs("held") != 0;
  end

  // Marsaglia's xorshift, 32 bits, shifts 13, 17, 5: a byte for each of four handshakes.
  reg [31:0] state = 0;
  wire [31:0] state_a = state ^ (state << 13);
  wire [31:0] state_b = state_a ^ (state_a >> 17);
  always @(posedge clk) state <= state == 0 ? seed : state_b ^ (state_b << 5);
  wire [3:0] stall = {
    {1'b0, state[31:24]} < rate,
    {1'b0, state[23:16]} < rate,
    {1'b0, state[15:8]} < rate,
    {1'b0, state[7:0]} < rate
  };

  // GP0: one access at a time, `asked` differs from `answered` while it runs.
  reg asked = 0, answered = 0, writes = 0;
  reg [31:0] address = 0;
  reg [63:0] data = 0;
  reg [1:0] response = 0;
  reg [31:0] result = 0;
  reg awvalid = 0, wvalid = 0, arvalid = 0, begun = 0;
  wire awready, wready, arready, bvalid, rvalid, rlast;
  wire [1:0] bresp, rresp;
  wire [31:0] rdata;
  wire [11:0] bid, rid;
  reg [11:0] id = 0;

  always @(posedge clk) begin
    if (asked != begun) begin
      begun <= asked;
      id <= state[11:0];
      {awvalid, wvalid, arvalid} <= {writes, writes, !writes};
    end
    if (awvalid && awready) awvalid <= 0;
    if (wvalid && wready) wvalid <= 0;
    if (arvalid && arready) arvalid <= 0;
    if (bvalid) {answered, response} <= {asked, bresp};
    if (rvalid) {answered, response, result} <= {asked, rresp, rdata};
    if (!rst && (bvalid && bid != id || rvalid && (rid != id || !rlast))) begin
      $display("bench: GP0 answers with another id or without RLAST");
      $finish;
    end
  end

  // HP0 and the memory behind it.
  wire [31:0] hp_araddr, hp_awaddr;
  wire [3:0] hp_arlen, hp_awlen;
  wire [1:0] hp_arsize, hp_awsize, hp_arburst, hp_awburst;
  wire [5:0] hp_arid, hp_awid, hp_wid, hp_rid, hp_bid;
  wire [63:0] hp_wdata, hp_rdata;
  wire [7:0] hp_wstrb;
  wire [1:0] hp_rresp, hp_bresp;
  wire hp_arvalid, hp_arready, hp_awvalid, hp_awready, hp_wvalid, hp_wready, hp_wlast;
  wire hp_rvalid, hp_rready, hp_rlast, hp_bvalid, hp_bready;

  memory memory (
      .clk(clk),
      .rst(rst),
      .stall(stall),
      .araddr(hp_araddr),
      .arlen(hp_arlen),
      .arsize(hp_arsize),
      .arburst(hp_arburst),
      .arid(hp_arid),
      .arvalid(hp_arvalid),
      .arready(hp_arready),
      .rid(hp_rid),
      .rdata(hp_rdata),
      .rresp(hp_rresp),
      .rlast(hp_rlast),
      .rvalid(hp_rvalid),
      .rready(hp_rready),
      .awaddr(hp_awaddr),
      .awlen(hp_awlen),
      .awsize(hp_awsize),
      .awburst(hp_awburst),
      .awid(hp_awid),
      .awvalid(hp_awvalid),
      .awready(hp_awready),
      .wid(hp_wid),
      .wdata(hp_wdata),
      .wstrb(hp_wstrb),
      .wlast(hp_wlast),
      .wvalid(hp_wvalid),
      .wready(hp_wready),
      .bid(hp_bid),
      .bresp(hp_bresp),
      .bvalid(hp_bvalid),
      .bready(hp_bready)
  );

  `DUT dut (
      .clk(clk),
      .rst(rst),
      .gp0__awid(id),
      .gp0__awaddr(address),
      .gp0__awlen(4'd0),
      .gp0__awsize(2'd2),
      .gp0__awburst(2'd1),
      .gp0__awlock(2'd0),
      .gp0__awcache(4'd0),
      .gp0__awprot(3'd0),
      .gp0__awqos(4'd0),
      .gp0__awvalid(awvalid),
      .gp0__awready(awready),
      .gp0__wid(id),
      .gp0__wdata(data[31:0]),
      .gp0__wstrb(4'b1111),
      .gp0__wlast(1'b1),
      .gp0__wvalid(wvalid),
      .gp0__wready(wready),
      .gp0__bid(bid),
      .gp0__bresp(bresp),
      .gp0__bvalid(bvalid),
      .gp0__bready(1'b1),
      .gp0__arid(id),
      .gp0__araddr(address),
      .gp0__arlen(4'd0),
      .gp0__arsize(2'd2),
      .gp0__arburst(2'd1),
      .gp0__arlock(2'd0),
      .gp0__arcache(4'd0),
      .gp0__arprot(3'd0),
      .gp0__arqos(4'd0),
      .gp0__arvalid(arvalid),
      .gp0__arready(arready),
      .gp0__rid(rid),
      .gp0__rdata(rdata),
      .gp0__rresp(rresp),
      .gp0__rlast(rlast),
      .gp0__rvalid(rvalid),
      .gp0__rready(1'b1),
      .hp0__awid(hp_awid),
      .hp0__awaddr(hp_awaddr),
      .hp0__awlen(hp_awlen),
      .hp0__awsize(hp_awsize),
      .hp0__awburst(hp_awburst),
      .hp0__awlock(),
      .hp0__awcache(),
      .hp0__awprot(),
      .hp0__awqos(),
      .hp0__awvalid(hp_awvalid),
      .hp0__awready(hp_awready),
      .hp0__wid(hp_wid),
      .hp0__wdata(hp_wdata),
      .hp0__wstrb(hp_wstrb),
      .hp0__wlast(hp_wlast),
      .hp0__wvalid(hp_wvalid),
      .hp0__wready(hp_wready),
      .hp0__bid(hp_bid),
      .hp0__bresp(hp_bresp),
      .hp0__bvalid(hp_bvalid),
      .hp0__bready(hp_bready),
      .hp0__arid(hp_arid),
      .hp0__araddr(hp_araddr),
      .hp0__arlen(hp_arlen),
      .hp0__arsize(hp_arsize),
      .hp0__arburst(hp_arburst),
      .hp0__arlock(),
      .hp0__arcache(),
      .hp0__arprot(),
      .hp0__arqos(),
      .hp0__arvalid(hp_arvalid),
      .hp0__arready(hp_arready),
      .hp0__rid(hp_rid),
      .hp0__rdata(hp_rdata),
      .hp0__rresp(hp_rresp),
      .hp0__rlast(hp_rlast),
      .hp0__rvalid(hp_rvalid),
      .hp0__rready(hp_rready),
      .irq()
  );

  // The commands.
  reg [7:0] op;
  reg [31:0] waited;
  integer count;
  reg dead;
  initial begin
    dead = 0;
    repeat (10) @(negedge clk);
    rst = held;
    op = "-";
    while (op != 0) begin
      count = $fscanf(STDIN, " %c %h %h", op, address, data);
      if (count != 3) op = 0;
      case (op)
        "w", "r": begin
          writes = op == "w";
          waited = 0;
          if (!dead) asked = !asked;
          while (!dead && answered != asked) begin
            @(negedge clk);
            waited = waited + 1;
            dead   = waited == PATIENCE;
          end
          if (dead) $display("-");
          else if (writes) $display("= %h", response);
          else $display("= %h %h", response, result);
        end
        "s": memory.content[memory.place(address)] = data;
        "l":
        for (waited = 0; waited < data[31:0]; waited = waited + 1)
          $display("= %h", memory.content[memory.place(address)+waited]);
        "i": begin
          repeat (data[31:0]) @(negedge clk);
          $display("= %h", cycle);
        end
        default: op = 0;
      endcase
      if (op != "s") $fflush;
    end
    $finish;
  end
endmodule
