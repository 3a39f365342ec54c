package chromium

import (
	"fmt"

	"github.com/chromedp/chromedp"
)

// maxTabs is how often somebody presses the tabulator on a page at most.
const maxTabs = 80

// Press types keys, wherever the focus is.
func (p *Page) Press(keys string) {
	p.t.Helper()
	run(p, chromedp.KeyEvent(keys))
}

// Reach presses the tabulator until the focus is on what a selector finds, and
// holds that it can be seen there.
func (p *Page) Reach(selector string) {
	p.t.Helper()
	p.loaded()
	for range maxTabs {
		run(p, chromedp.KeyEvent("\t"))
		if p.Eval(fmt.Sprintf("document.activeElement.matches(%q)", selector)) == "true" {
			// A radio or a box in a label shows its outline itself.
			if p.Eval("getComputedStyle(document.activeElement).outlineStyle") == "none" {
				p.t.Errorf("%s: the focus is on %s and cannot be seen", p.Where(), selector)
			}
			return
		}
	}
	p.t.Fatalf("%s: the tabulator does not reach %s", p.Where(), selector)
}

// loaded waits until the page and its scripts are there: some show what they
// hide without them.
func (p *Page) loaded() {
	p.t.Helper()
	run(p, chromedp.Poll[bool](`document.readyState === "complete"`, chromedp.WithPollingTimeout(Patience)))
}
