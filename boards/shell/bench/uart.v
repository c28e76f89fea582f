// A shell behind a serial line, for a driver on the other side of stdin and stdout.
//
// A command is a line "OP NUMBER NUMBER" in hexadecimal; time stands still while none is there:
//
//   t byte 0           a byte to the shell, in ten bits' time   (no answer)
//   g count patience   = byte, a line each, for as many bytes as come before so many cycles are
//                      over; then "."
//   i 0 count          let cycles pass        = cycles since reset
//
// The end of stdin ends the simulation. Plusargs: held (the shell stays in reset).
`timescale 1ns / 1ps

module bench;
  localparam [31:0] STDIN = 32'h8000_0000;

  reg clk = 0, rst = 1;
  always #20 clk = !clk;

  reg [63:0] cycle = 0;
  always @(posedge clk) cycle <= rst ? 0 : cycle + 1;

  reg  line = 1;
  wire answer;
  `DUT dut (
      .clk(clk),
      .rst(rst),
      .rx (line),
      .tx (answer)
  );

  // What the shell says, heard in the middle of each bit, into a queue that is never full.
  reg [7:0] queue[0:65535];
  reg [15:0] written = 0, taken = 0;
  reg [7:0] heard;
  integer bits;
  always begin
    @(negedge clk);
    if (!answer) begin
      repeat (`DIVISOR / 2) @(negedge clk);
      for (bits = 0; bits < 8; bits = bits + 1) begin
        repeat (`DIVISOR) @(negedge clk);
        heard = {answer, heard[7:1]};
      end
      repeat (`DIVISOR) @(negedge clk);
      if (!answer) begin
        $display("bench: a byte has no stop bit");
        $finish;
      end
      queue[written] = heard;
      written = written + 1;
    end
  end

  // The commands.
  reg [7:0] op;
  reg [31:0] number, patience;
  reg [9:0] said;
  integer count, sent;
  initial begin
    repeat (10) @(negedge clk);
    rst = $test$plusargs("held") != 0;
    op = "-";
    while (op != 0) begin
      count = $fscanf(STDIN, " %c %h %h", op, number, patience);
      if (count != 3) op = 0;
      case (op)
        "t": begin
          said = {1'b1, number[7:0], 1'b0};
          for (sent = 0; sent < 10; sent = sent + 1) begin
            line = said[sent];
            repeat (`DIVISOR) @(negedge clk);
          end
        end
        "g": begin
          while (number != 0 && (patience != 0 || written != taken)) begin
            if (written != taken) begin
              $display("= %h", queue[taken]);
              taken = taken + 1;
              number = number - 1;
            end else begin
              @(negedge clk);
              patience = patience - 1;
            end
          end
          $display(".");
        end
        "i": begin
          repeat (patience) @(negedge clk);
          $display("= %h", cycle);
        end
        default: op = 0;
      endcase
      if (op != "t") $fflush;
    end
    $finish;
  end
endmodule
