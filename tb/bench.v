// The simulation bench: clock, DMA models and watchdog around the design, which is module `DUT`.
//
// All that happens every cycle happens here; Python (tb/bench.py) resets, gives orders to the
// AXI4-Lite master, raises `go` and waits for `done`. Plusargs: input and output (files), packets
// and words (to wait for), patience (cycles in which something must move), rate (stalls in 256
// cycles) and seed (of the stalls). A line that begins with "bench:" says why the bench gave up.
`timescale 1ns / 1ps

module bench;
  // Given by Python.
  reg aresetn  /* verilator public_flat_rw */ = 0;
  reg go  /* verilator public_flat_rw */ = 0;
  reg order  /* verilator public_flat_rw */ = 0;
  reg write  /* verilator public_flat_rw */ = 0;
  reg [11:0] address  /* verilator public_flat_rw */ = 0;
  reg [31:0] data  /* verilator public_flat_rw */ = 0;
  reg [3:0] strobe  /* verilator public_flat_rw */ = 0;
  // Read by Python.
  wire answered  /* verilator public_flat_rd */;
  wire [1:0] response  /* verilator public_flat_rd */;
  wire [31:0] result  /* verilator public_flat_rd */;
  reg done  /* verilator public_flat_rd */ = 0;
  // The cycles, counted from `go`, of the first beat and of the first and the last packet.
  reg [63:0] first_beat  /* verilator public_flat_rd */ = 0;
  reg [63:0] first_packet  /* verilator public_flat_rd */ = 0;
  reg [63:0] last_packet  /* verilator public_flat_rd */ = 0;

  reg clk = 0;
  always #5 clk = !clk;

  reg [63:0] expected_packets, expected_words, patience;
  reg [8:0] rate;
  reg [31:0] seed;
  initial begin
    if (!$value$plusargs("packets=%d", expected_packets)) expected_packets = 1;
    if (!$value$plusargs("words=%d", expected_words)) expected_words = 1;
    if (!$value$plusargs("patience=%d", patience)) patience = 1000;
    if (!$value$plusargs("rate=%d", rate)) rate = 0;
    if (!$value$plusargs("seed=%d", seed)) seed = 1;
  end

  wire [3:0] lite_stall, stream_stall;
  stalls lite_stalls (.clk(clk), .seed(~seed), .rate(rate), .stall(lite_stall));
  stalls stream_stalls (.clk(clk), .seed(seed), .rate(rate), .stall(stream_stall));

  wire [31:0] s_axis_tdata, m_axis_tdata;
  wire s_axis_tvalid, s_axis_tready, s_axis_tlast, m_axis_tvalid, m_axis_tready, m_axis_tlast;
  wire [63:0] words, packets;

  stream_source source (
      .clk(clk),
      .go(go),
      .stall(stream_stall[0]),
      .tdata(s_axis_tdata),
      .tvalid(s_axis_tvalid),
      .tready(s_axis_tready),
      .tlast(s_axis_tlast)
  );

  stream_sink sink (
      .clk(clk),
      .aresetn(aresetn),
      .go(go),
      .stall(stream_stall[1]),
      .tdata(m_axis_tdata),
      .tvalid(m_axis_tvalid),
      .tready(m_axis_tready),
      .tlast(m_axis_tlast),
      .words(words),
      .packets(packets)
  );

  // Sources of the codes of layers that have a port for them (tb/build.py).
  `include "codes.vh"
  `CODE_SOURCES

  wire [11:0] awaddr, araddr;
  wire [31:0] wdata, rdata;
  wire [3:0] wstrb;
  wire [1:0] bresp, rresp;
  wire awvalid, awready, wvalid, wready, bvalid, bready, arvalid, arready, rvalid, rready;

  lite_master master (
      .clk(clk),
      .aresetn(aresetn),
      .stall(lite_stall),
      .order(order),
      .write(write),
      .address(address),
      .data(data),
      .strobe(strobe),
      .answered(answered),
      .response(response),
      .result(result),
      .awaddr(awaddr),
      .awvalid(awvalid),
      .awready(awready),
      .wdata(wdata),
      .wstrb(wstrb),
      .wvalid(wvalid),
      .wready(wready),
      .bresp(bresp),
      .bvalid(bvalid),
      .bready(bready),
      .araddr(araddr),
      .arvalid(arvalid),
      .arready(arready),
      .rdata(rdata),
      .rresp(rresp),
      .rvalid(rvalid),
      .rready(rready)
  );

  `DUT dut (
      .aclk(clk),
      .aresetn(aresetn),
      .s_axi_awaddr(awaddr),
      .s_axi_awprot(3'b0),
      .s_axi_awvalid(awvalid),
      .s_axi_awready(awready),
      .s_axi_wdata(wdata),
      .s_axi_wstrb(wstrb),
      .s_axi_wvalid(wvalid),
      .s_axi_wready(wready),
      .s_axi_bresp(bresp),
      .s_axi_bvalid(bvalid),
      .s_axi_bready(bready),
      .s_axi_araddr(araddr),
      .s_axi_arprot(3'b0),
      .s_axi_arvalid(arvalid),
      .s_axi_arready(arready),
      .s_axi_rdata(rdata),
      .s_axi_rresp(rresp),
      .s_axi_rvalid(rvalid),
      .s_axi_rready(rready),
      .s_axis_tdata(s_axis_tdata),
      .s_axis_tvalid(s_axis_tvalid),
      .s_axis_tready(s_axis_tready),
      .s_axis_tlast(s_axis_tlast),
      .m_axis_tdata(m_axis_tdata),
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready),
      .m_axis_tlast(m_axis_tlast)
      `CODE_PORTS
  );

  wire takes = s_axis_tvalid && s_axis_tready;
  wire gives = m_axis_tvalid && m_axis_tready;
  reg [63:0] cycle = 0, idle = 0;

  always @(posedge clk)
    if (!go) {done, cycle, idle, first_beat, first_packet, last_packet} <= 0;
    else begin
      cycle <= cycle + 1;
      idle <= takes || gives || done ? 0 : idle + 1;
      if (takes && first_beat == 0) first_beat <= cycle;
      if (gives && m_axis_tlast) begin
        if (first_packet == 0) first_packet <= cycle;
        last_packet <= cycle;
      end
      done <= packets >= expected_packets || words >= expected_words;
      if (idle == patience) begin
        $display("bench: nothing moved for %0d cycles after %0d packets of %0d and %0d words",
                 idle, packets, expected_packets, words);
        $finish;
      end
    end

`ifdef PROBES
  `include "probes.vh"
`endif
`ifdef WAVES
  initial begin
    $dumpfile(`WAVES);
    $dumpvars(0, bench);
  end
`endif
endmodule
