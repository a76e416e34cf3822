#!/bin/sh
# Print the path of Chromium, or say which system package is missing.
for name in ${CHROMIUM:-} chromium chromium-browser google-chrome; do
    if command -v "$name"; then exit 0; fi
done
echo "The browser tests need Chromium. On Debian and Ubuntu: apt-get install chromium" >&2
exit 1
