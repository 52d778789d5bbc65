# The first process of a node, in mount, network, PID and host name namespaces of its own: NAME ADDRESS DATA CGROUP CONFIG.
# When it ends, the kernel ends everything else of the node, and with that its mounts and its network. It ends when its
# standard input does: with the test, however that ends.
set -euo pipefail
hostname "$1"
# What the machine unmounts shall not be held here; what is mounted here stays here.
mount --make-rslave /
mount -t proc proc /proc
mount -t tmpfs tmpfs /run # sockets and files of processes, those of the machine's engine out of sight
mkdir /run/lock /run/node
ip link set lo up
read -r # the wire is plugged in
ip link set eth0 up
ip address add "$2/24" dev eth0
mkdir -p "$3"
dockerd -H unix:///run/docker.sock -H unix:///run/node/docker.sock --config-file "$5" --data-root "$3" --cgroup-parent "$4" --exec-opt native.cgroupdriver=cgroupfs >>"$3/dockerd.log" 2>&1 </dev/null &
cat >/dev/null
