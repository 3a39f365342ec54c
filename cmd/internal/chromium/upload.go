package chromium

import "github.com/chromedp/chromedp"

// Upload chooses files of this machine in a field for files.
func (p *Page) Upload(selector string, files ...string) {
	p.t.Helper()
	run(p, chromedp.SetUploadFiles(chromedp.CSS(selector), files))
}
