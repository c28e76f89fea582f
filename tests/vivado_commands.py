"""What `vivado_model` knows: commands, properties and blocks of Vivado, as its guides have them."""

from __future__ import annotations

__all__ = ["BOARD_PARTS", "BUSES", "FORMS", "PROPERTIES", "PS7", "RESET"]

FORMS = """
add_files 1 -fileset= -norecurse
apply_bd_automation 1 -rule= -config=
assign_bd_address 1 -offset= -range= -target_address_space= -force
close_design 0
close_project 0
connect_bd_intf_net 2
connect_bd_net 2-99
create_bd_cell 1 -type= -vlnv=
create_bd_design 1
create_bd_port 1 -dir=
create_project 2 -part= -force
current_fileset 0
current_project 0
generate_target 2
get_bd_addr_segs 1
get_bd_addr_spaces 1
get_bd_intf_pins 1
get_bd_pins 1
get_bd_ports 1
get_board_parts 1 -quiet -latest_file_version
get_files 1
get_property 2
get_timing_paths 0 -max_paths= -nworst= -setup -hold
ipx::add_address_block 2
ipx::add_address_space 2
ipx::add_bus_interface 2
ipx::add_bus_parameter 2
ipx::add_memory_map 2
ipx::add_port_map 2
ipx::check_integrity 1
ipx::create_xgui_files 1
ipx::current_core 0
ipx::get_address_spaces 0 -of_objects=
ipx::get_memory_maps 0 -of_objects=
ipx::get_ports 1 -of_objects=
ipx::package_project 0 -root_dir= -vendor= -library= -taxonomy= -set_current= -import_files -force
ipx::remove_address_space 2
ipx::remove_all_bus_interface 1
ipx::remove_memory_map 2
ipx::save_core 1
ipx::update_checksums 1
make_wrapper 0 -files= -top
open_checkpoint 1
opt_design 0
phys_opt_design 0
place_design 0
report_drc 0 -file=
report_timing_summary 0 -file=
report_utilization 0 -file= -hierarchical
route_design 0
save_bd_design 0
set_property 1-3 -dict=
synth_design 0 -top= -part=
update_compile_order 0 -fileset=
update_ip_catalog 0
validate_bd_design 0
version 0 -short
write_bitstream 1 -force
write_checkpoint 1 -force
"""
"""The commands, how many words each takes, and its options; one that ends in = has a value."""
PROPERTIES = {
    "project": "board_part ip_repo_paths",
    "fileset": "top",
    "core": "name version display_name description",
    "interface": "abstraction_type_vlnv bus_type_vlnv interface_mode slave_memory_map_ref "
    "master_address_space_ref",
    "map": "physical_name",
    "parameter": "value",
    "block": "base_address range width usage",
    "space": "range width",
    "memory": "name",
    "bd": "synth_checkpoint_mode",
    "path": "SLACK REQUIREMENT",
}
PS7 = {
    "PCW_EN_CLK0_PORT": {"FCLK_CLK0": "O"},
    "PCW_EN_RST0_PORT": {"FCLK_RESET0_N": "O"},
    "PCW_USE_M_AXI_GP0": {"M_AXI_GP0_ACLK": "I", "M_AXI_GP0": "master"},
    "PCW_USE_S_AXI_HP0": {"S_AXI_HP0_ACLK": "I", "S_AXI_HP0": "slave"},
    "PCW_IRQ_F2P_INTR": {"IRQ_F2P": "I"},
    "PCW_USE_FABRIC_INTERRUPT": {},
    "PCW_FPGA0_PERIPHERAL_FREQMHZ": {},
    "PCW_S_AXI_HP0_DATA_WIDTH": {},
}
"""What the processor is configured by, and the pins that this makes."""
BUSES = {
    "M_AXI_GP0": {"PROTOCOL": "AXI3", "DATA_WIDTH": "32", "ID_WIDTH": "12"},
    "S_AXI_HP0": {"PROTOCOL": "AXI3", "DATA_WIDTH": "64", "ID_WIDTH": "6"},
}
RESET = {"slowest_sync_clk": "I", "ext_reset_in": "I", "peripheral_aresetn": "O"}
"""Of the pins of proc_sys_reset, those without a default that fits."""
BOARD_PARTS = {"*:pynq-z2:*": "tul.com.tw:pynq-z2:part0:1.0"}
