# The processor system, the IP and a reset block between them, synthesized: NAME.synth.dcp, and
# NAME.synth.hwh, which says what lies where.
source settings.tcl

create_project -force design vivado/design -part $part
# DDR and MIO are the board's where Vivado has its files. They go into no bitstream: what has booted
# the processor has set them.
set board_part [lindex [lsort [get_board_parts -quiet -latest_file_version *:$board:*]] end]
if {$board_part ne ""} {
    set_property board_part $board_part [current_project]
} else {
    puts "WARNING: Vivado has no files of $board: the processor system keeps Vivado's defaults"
}
set_property ip_repo_paths [file normalize ip] [current_project]
update_ip_catalog

set system ${name}_system
create_bd_design $system
set ps7 processing_system7_0
set cell [create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7:5.5 $ps7]
apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 -config [list \
    make_external "FIXED_IO, DDR" apply_board_preset [expr {$board_part ne ""}] \
    Master Disable Slave Disable] $cell
set_property -dict [list \
    CONFIG.PCW_EN_CLK0_PORT 1 \
    CONFIG.PCW_EN_RST0_PORT 1 \
    CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ $clock_mhz \
    CONFIG.PCW_USE_M_AXI_GP0 1 \
    CONFIG.PCW_USE_S_AXI_HP0 1 \
    CONFIG.PCW_S_AXI_HP0_DATA_WIDTH 64 \
    CONFIG.PCW_USE_FABRIC_INTERRUPT 1 \
    CONFIG.PCW_IRQ_F2P_INTR 1] $cell
create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset:5.0 proc_sys_reset_0
create_bd_cell -type ip -vlnv $vendor:$library:$name:$version $name

connect_bd_net [get_bd_pins $ps7/FCLK_CLK0] [get_bd_pins $ps7/M_AXI_GP0_ACLK] \
    [get_bd_pins $ps7/S_AXI_HP0_ACLK] [get_bd_pins proc_sys_reset_0/slowest_sync_clk] \
    [get_bd_pins $name/aclk]
connect_bd_net [get_bd_pins $ps7/FCLK_RESET0_N] [get_bd_pins proc_sys_reset_0/ext_reset_in]
connect_bd_net [get_bd_pins proc_sys_reset_0/peripheral_aresetn] [get_bd_pins $name/aresetn]
connect_bd_net [get_bd_pins $name/irq] [get_bd_pins $ps7/IRQ_F2P]
# Both sides speak AXI3 with the same widths, so no interconnect stands between them.
connect_bd_intf_net [get_bd_intf_pins $ps7/M_AXI_GP0] [get_bd_intf_pins $name/s_axi]
connect_bd_intf_net [get_bd_intf_pins $name/m_axi] [get_bd_intf_pins $ps7/S_AXI_HP0]
create_bd_port -dir O led
connect_bd_net [get_bd_pins $name/led] [get_bd_ports led]

assign_bd_address -offset $base -range $span \
    -target_address_space [get_bd_addr_spaces $ps7/Data] [get_bd_addr_segs $name/s_axi/reg0] -force
assign_bd_address -target_address_space [get_bd_addr_spaces $name/m_axi] \
    [get_bd_addr_segs $ps7/S_AXI_HP0/HP0_DDR_LOWOCM] -force
validate_bd_design
save_bd_design

set design [get_files $system.bd]
# One netlist of everything, instead of a run for each IP.
set_property synth_checkpoint_mode None $design
generate_target all $design
add_files -norecurse [make_wrapper -files $design -top]
add_files -norecurse -fileset constrs_1 $name.xdc
set_property top ${system}_wrapper [current_fileset]
update_compile_order -fileset sources_1
synth_design -top ${system}_wrapper -part $part
write_checkpoint -force $name.synth.dcp
set handoff vivado/design/design.gen/sources_1/bd/$system/hw_handoff/$system.hwh
if {![file exists $handoff]} {
    puts "ERROR: Vivado must write $handoff, not end without"
    exit 1
}
file copy -force $handoff $name.synth.hwh
close_project
