# NAME.v becomes the IP of that name in ip/: each port belongs to a bus interface, registers and
# memory have their address maps. Vivado would infer most of it from the names; it is said here, so
# that no version of it infers something else.
source settings.tcl

file delete -force ip
create_project -force package vivado/package -part $part
add_files -norecurse $name.v
set_property top $name [current_fileset]
update_compile_order -fileset sources_1
ipx::package_project -root_dir ip -vendor $vendor -library $library -taxonomy /UserIP \
    -import_files -set_current true -force
set core [ipx::current_core]
set_property name $name $core
set_property version $version $core
set_property display_name $name $core
set_property description $description $core

ipx::remove_all_bus_interface $core
foreach map [ipx::get_memory_maps -of_objects $core] {
    ipx::remove_memory_map [get_property name $map] $core
}
foreach space [ipx::get_address_spaces -of_objects $core] {
    ipx::remove_address_space [get_property name $space] $core
}

# Add the bus interface `name` of the type `bus` with a list of logical and physical ports, and a
# list of parameters and values; return it.
proc interface {name bus mode ports parameters} {
    global core
    set interface [ipx::add_bus_interface $name $core]
    set_property abstraction_type_vlnv xilinx.com:${bus}_rtl:1.0 $interface
    set_property bus_type_vlnv xilinx.com:$bus:1.0 $interface
    set_property interface_mode $mode $interface
    foreach {logical physical} $ports {
        if {[ipx::get_ports $physical -of_objects $core] eq ""} {
            puts "ERROR: $physical must be a port of the packaged module, not missing"
            exit 1
        }
        set_property physical_name $physical [ipx::add_port_map $logical $interface]
    }
    foreach {parameter value} $parameters {
        set_property value $value [ipx::add_bus_parameter $parameter $interface]
    }
    return $interface
}

interface aclk signal:clock slave {CLK aclk} \
    {ASSOCIATED_BUSIF s_axi:m_axi ASSOCIATED_RESET aresetn}
interface aresetn signal:reset slave {RST aresetn} {POLARITY ACTIVE_LOW}
interface irq signal:interrupt master {INTERRUPT irq} {SENSITIVITY LEVEL_HIGH}
set s_axi [interface s_axi interface:aximm slave $s_axi_ports $s_axi_parameters]
set m_axi [interface m_axi interface:aximm master $m_axi_ports $m_axi_parameters]

set block [ipx::add_address_block reg0 [ipx::add_memory_map s_axi $core]]
foreach {property value} [list base_address 0 range $span width 32 usage register] {
    set_property $property $value $block
}
set_property slave_memory_map_ref s_axi $s_axi
set space [ipx::add_address_space m_axi $core]
set_property range 4G $space
set_property width 64 $space
set_property master_address_space_ref m_axi $m_axi

ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
close_project
