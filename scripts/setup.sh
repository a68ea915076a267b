# Sourced by the other scripts, or run: finds the Swift toolchain, and installs what is missing of C libraries and tools.

packages=()
have() { pkg-config --exists "$1" 2>/dev/null; }
command -v pkg-config >/dev/null || packages+=(pkg-config)
command -v python3 >/dev/null || packages+=(python3)
python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)
have libsystemd || packages+=(libsystemd-dev)
have sqlite3 || packages+=(libsqlite3-dev)
have libarchive || packages+=(libarchive-dev)
have zlib || packages+=(zlib1g-dev)
if [ ${#packages[@]} -gt 0 ]; then
    if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
        apt-get update -qq && apt-get install -y -qq "${packages[@]}" >/dev/null
    elif command -v apt-get >/dev/null && command -v sudo >/dev/null; then
        sudo apt-get update -qq && sudo apt-get install -y -qq "${packages[@]}" >/dev/null
    else
        echo "missing: ${packages[*]} (Debian names); install them and run this again" >&2
        exit 1
    fi
fi
if ! command -v swift >/dev/null; then
    echo "no Swift toolchain found: install Swift 6.2 or newer from swift.org and put it on PATH" >&2
    exit 1
fi
