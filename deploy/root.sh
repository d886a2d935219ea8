#!/bin/sh
# Creates the root directory of the image: `root.sh BINARY DIRECTORY`. The Containerfile runs it, and so does its test, which
# then runs the server in a chroot there.
set -eu
binary=$1
root=$2

mkdir -p "$root/usr/bin" "$root/etc/ssl/certs" "$root/etc/databricks-mcp-server" "$root/tmp" "$root/home/server"
cp "$binary" "$root/usr/bin/databricks-mcp-server"

# The libraries that the binary names, the loader included, under the paths by which it finds them.
ldd "$binary" | grep -o '/[^ ]*' | sort -u | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp --dereference "$library" "$root$library"
done

# Certificate authorities for TLS. Behind a proxy with its own authority, mount another file over this one.
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"

# A name for the user, and the order in which host names are looked up.
echo 'server:x:65532:65532::/home/server:/nonexistent' > "$root/etc/passwd"
echo 'server:x:65532:' > "$root/etc/group"
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
chmod 1777 "$root/tmp"
