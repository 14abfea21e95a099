# Builds the root file system in the empty directory $1: a small Debian with PostgreSQL 18, DocumentDB and RabbitMQ 4.
#
# It runs with `sh -eu` as root in a mount and PID namespace of its own, so that whatever it mounts or starts goes away
# with it, however it ends. Lines written to file descriptor 3 are shown to the user; everything else goes to the log.
# The cached root file system is named by this file's hash: a change here builds a new one.

root=$1
# Debian 14. Named, not "testing", so that the recipe does not change its meaning with the next release.
suite=forky

step() { echo "$*" >&3; }

export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 TMPDIR=/tmp
umask 022

if ! command -v debootstrap >/dev/null; then
	step "installing debootstrap"
	apt-get update -q
	apt-get install -q -y --no-install-recommends debootstrap debian-archive-keyring
fi

# The proxy and the validity checks of the host's apt hold inside as well: debootstrap reads http_proxy only, and a host
# whose mirror is a frozen snapshot accepts release files that are past their date.
host_apt=$(apt-config dump | grep -E '^Acquire::((http|https)::|Check-Valid-Until|Check-Date|Max-ValidTime|Retries|ForceIPv)' || true)
proxy=$(apt-config shell proxy Acquire::http::Proxy)
eval "$proxy"
if [ -n "${proxy:-}" ] && [ "$proxy" != DIRECT ]; then
	export http_proxy="${http_proxy:-$proxy}"
fi

# debootstrap of an older Debian or Ubuntu does not know the suite; the script of unstable fits every newer one.
script=/usr/share/debootstrap/scripts/$suite
[ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e "$keyring" ] || apt-get install -q -y --no-install-recommends debian-archive-keyring

# Without a mirror debootstrap takes the one that it has for Debian.
step "downloading and unpacking Debian $suite (about 120 MB)"
debootstrap --variant=minbase --keyring="$keyring" "$suite" "$root" "${DEVSTACK_DEBIAN_MIRROR:-}" "$script"

echo "$host_apt" >"$root/etc/apt/apt.conf.d/00host"
cat >"$root/etc/dpkg/dpkg.cfg.d/slim" <<-'EOF'
	path-exclude=/usr/share/doc/*
	path-exclude=/usr/share/info/*
	path-exclude=/usr/share/lintian/*
	path-exclude=/usr/share/locale/*
	path-exclude=/usr/share/man/*
EOF
printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
# Nothing may start, and no cluster be made, while packages are installed.
mkdir -p "$root/etc/postgresql-common"
echo 'create_main_cluster = false' >"$root/etc/postgresql-common/createcluster.conf"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"

# The PostgreSQL packages fail to configure without /proc.
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"

step "installing PostgreSQL 18 with DocumentDB, and RabbitMQ (about 150 MB)"
chroot "$root" apt-get update -q
chroot "$root" apt-get install -q -y --no-install-recommends -o Dpkg::Options::=--force-unsafe-io \
	postgresql-18-documentdb rabbitmq-server

step "tidying up"
umount "$root/dev" "$root/proc"
chroot "$root" apt-get clean
rm -rf "$root"/var/lib/apt/lists/* "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/locale/* \
	"$root"/tmp/* "$root"/var/log/*.log
for program in usr/lib/postgresql/18/bin/postgres usr/lib/rabbitmq/bin/rabbitmq-server; do
	[ -x "$root/$program" ] || { step "$program is missing"; exit 1; }
done
sync -f "$root" # before it is renamed to what it will be used as
