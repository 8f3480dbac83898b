"""Opens pages of reports in headless Chromium: light and dark, on windows from 320 to 1600 pixels, printed texts and all. Fails where a page
logs anything, asks for anything beside itself, is wider than its window, or has a text that cannot be read on its ground.

    REPORT_PAGES=target/pages cargo test -p gradus-nn --features report --test suite report
    cargo run --release --example digits -- --report target/pages/digits.html
    python3 scripts/report.py target/pages/*.html

Needs Chromium (apt-get install chromium) and websocket-client (PyPI). Pictures of every page lie beside it: look at them.
"""

import base64
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

import websocket

WIDTHS = [320, 768, 1100, 1600]

# Texts whose contrast with the ground under them is less than 4.5 to 1 (WCAG 2.2, AA), or 3 where they are large. Grounds with
# an alpha are laid over each other.
CONTRAST = """
(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const parse = color => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
  };
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const bad = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; node = walker.nextNode();) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element.getClientRects().length || element.closest('title')) continue;
    const style = getComputedStyle(element);
    const grounds = [];
    for (let at = element; at; at = at.parentElement) grounds.unshift(parse(getComputedStyle(at).backgroundColor));
    const ground = grounds.reduce((below, [r, g, b, a]) => [r, g, b].map((c, i) => c * a + below[i] * (1 - a)), [255, 255, 255]);
    const color = element.closest('svg') ? style.fill : style.color;
    const [r, g, b, a] = parse(color);
    const ink = [r, g, b].map((c, i) => c * a + ground[i] * (1 - a));
    const [high, low] = [light(ink), light(ground)].sort((x, y) => y - x);
    const ratio = (high + 0.05) / (low + 0.05);
    const least = parseFloat(style.fontSize) >= 24 || parseFloat(style.fontSize) >= 18.6 && style.fontWeight >= 600 ? 3 : 4.5;
    // What is 0 in a table of counts is faint on purpose.
    if (ratio < least && !element.classList.contains('zero')) bad.push(`${ratio.toFixed(2)} ${node.textContent.trim().slice(0, 40)}`);
  }
  return [...new Set(bad)].slice(0, 10);
})()
"""

# What is wider than the window, and is not within something that scrolls.
OVERFLOW = """
(() => {
  const wide = document.documentElement.clientWidth;
  const found = [...document.body.querySelectorAll('*')].filter(element => !element.closest('.scroll > *, pre, svg *')
    && element.getBoundingClientRect().right > wide + 0.5);
  return [document.documentElement.scrollWidth > wide, found.slice(0, 5).map(e => e.outerHTML.slice(0, 100))];
})()
"""

# Pictures that could not be decoded, and tables that say nothing to who cannot see them.
CONTENT = """
[...[...document.images].filter(image => !image.complete || !image.naturalWidth).map(image => 'no picture: ' + image.alt),
 ...[...document.querySelectorAll('table')].filter(table => !table.querySelector('th[scope]')).map(table => 'no heads: ' + table.outerHTML.slice(0, 80))]
"""


class Browser:
    def __init__(self, folder):
        # No name of a host can be found: what asks for one fails, and is seen.
        self.process = subprocess.Popen(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}", "--remote-debugging-port=0",
             "--remote-allow-origins=*", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "about:blank"],
            stderr=subprocess.DEVNULL)
        address = pathlib.Path(folder) / "DevToolsActivePort"
        for _ in range(600):
            if address.exists() and address.read_text().count("\n"):
                break
            time.sleep(0.1)
        port = address.read_text().split("\n")[0]
        pages = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json"))
        page = next(page for page in pages if page["type"] == "page")
        self.socket = websocket.create_connection(page["webSocketDebuggerUrl"], timeout=120)
        self.number, self.events = 0, []
        for domain in ["Page", "Network", "Runtime", "Log"]:
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self.events.append(message)

    def wait(self, event):
        while not any(message.get("method") == event for message in self.events):
            self.events.append(json.loads(self.socket.recv()))

    def value(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"])
        return result["result"].get("value")


def examine(browser, page):
    faults = []
    address = page.resolve().as_uri()
    for scheme in ["light", "dark"]:
        browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        for width in WIDTHS:
            where = f"{page.name}, {scheme}, {width} px"
            browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
            browser.events.clear()
            browser.call("Page.navigate", url=address)
            browser.wait("Page.loadEventFired")
            # Nothing is hidden from the checks.
            for state in ["closed", "open"]:
                browser.value(f"document.querySelectorAll('details').forEach(d => d.open = {str(state == 'open').lower()})")
                overflow, found = browser.value(OVERFLOW)
                if overflow or found:
                    faults.append(f"{where}, {state}: wider than the window: {found}")
                size = browser.call("Page.getLayoutMetrics")["cssContentSize"]
                picture = browser.call("Page.captureScreenshot", captureBeyondViewport=True, clip={
                    "x": 0, "y": 0, "width": width, "height": min(size["height"], 12000), "scale": 1})
                name = f"{page.stem}-{scheme}-{width}-{state}.png"
                (page.parent / name).write_bytes(base64.b64decode(picture["data"]))
            faults += [f"{where}: contrast {fault}" for fault in browser.value(CONTRAST)]
            faults += [f"{where}: {fault}" for fault in browser.value(CONTENT)]
            for event in browser.events:
                params = event.get("params", {})
                if event["method"] == "Network.requestWillBeSent":
                    url = params["request"]["url"]
                    if url != address and not url.startswith("data:"):
                        faults.append(f"{where}: asks for {url}")
                elif event["method"] in ["Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"]:
                    faults.append(f"{where}: logs {json.dumps(params)[:300]}")
    return faults


def main():
    pages = [pathlib.Path(name) for name in sys.argv[1:]]
    if not pages:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(folder)
        try:
            faults = []
            for page in pages:
                found = examine(browser, page)
                faults += found
                print(f"{page}: {page.stat().st_size // 1000} kB, {len(found)} faults", flush=True)
        finally:
            browser.process.terminate()
            browser.process.wait()
    print("\n".join(faults))
    sys.exit(1 if faults else 0)


main()
