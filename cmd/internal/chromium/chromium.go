// Package chromium drives a real Chromium through pages in tests: it looks at
// them at the sizes people use, takes pictures, and holds them to axe-core's
// rules of accessibility.
package chromium

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Patience is how long one step may take on a slow and busy machine.
const Patience = 2 * time.Minute

// axeFile is what .ci/axe fetches.
const axeFile = ".cache/axe-core-4.14.1/node_modules/axe-core/axe.min.js"

// Page is a tab of a browser of its own: it shares no cookie with others.
type Page struct {
	t   testing.TB
	ctx context.Context
	axe string
}

// NetworkName is this machine by a name that the browser does not know for its
// own: over plain http it trusts what comes from there as little as what comes
// from a network.
const NetworkName = "network.test"

// Start opens a browser that ends with the test. It accepts any certificate:
// those of tests are their own.
func Start(t testing.TB) *Page {
	t.Helper()
	path, err := find()
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.DisableGPU,
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("ignore-certificate-errors", true), chromedp.Flag("lang", "ko"),
		chromedp.Flag("host-resolver-rules", "MAP "+NetworkName+" 127.0.0.1"),
		chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(Patience))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, stopBrowser := chromedp.NewExecAllocator(t.Context(), options...)
	ctx, stopTab := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		// The test's own context has ended: close by the browser's.
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		_ = chromedp.Cancel(limit)
		stopTab()
		stopBrowser()
	})
	p := &Page{t: t, ctx: ctx}
	// The first run begins the browser and must not be cut off: it would end with it.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return p
}

func find() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("chromium is missing: make test installs it (Debian: apt-get install chromium)")
}

// gone is what the browser says of a node or page that another one has replaced
// between finding it and doing something with it. Each is said before any key
// or click is sent, so that the action can be begun again.
var gone = regexp.MustCompile("(?i)no node with given id|could not find node|node is detached|does not have a layout object|" +
	"could not compute (content quads|box model)|cannot find context with specified id|execution context was destroyed")

// again repeats an action, with a pause, while what it works on goes away under it.
func again[T any](ctx context.Context, action func(context.Context) (T, error)) (T, error) {
	for {
		v, err := action(ctx)
		var said *cdproto.Error
		if err == nil || !errors.As(err, &said) || !gone.MatchString(said.Message) {
			return v, err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return v, err
		}
	}
}

// run runs an action and fails the test, telling what page it was on, when the
// action's condition does not come about.
func run[T any](p *Page, action chromedp.Action[T]) T {
	p.t.Helper()
	return do(p, func(ctx context.Context) (T, error) { return chromedp.Run(ctx, action) })
}

func do[T any](p *Page, action func(context.Context) (T, error)) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, Patience)
	defer cancel()
	v, err := again(ctx, action)
	if err != nil {
		look, stop := context.WithTimeout(p.ctx, 10*time.Second)
		defer stop()
		where, _ := chromedp.Run(look, chromedp.Location())
		text, _ := chromedp.Run(look, chromedp.Evaluate[string]("document.body.innerText"))
		p.t.Fatalf("at %s: %v\n%.1000s", where, err, text)
	}
	return v
}

// Open goes to an address and waits for the page.
func (p *Page) Open(url string) {
	p.t.Helper()
	run(p, chromedp.Navigate(url))
}

// Size makes the window so many CSS pixels wide, as a phone or a desktop has
// it. dark is what the person prefers.
func (p *Page) Size(width, height int64, dark bool) {
	p.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}
	run(p, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 600})
		if err != nil {
			return err
		}
		_, err = cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
		return err
	}))
}

// Fill types into visible fields, by name.
func (p *Page) Fill(fields ...string) {
	p.t.Helper()
	for i := 0; i+1 < len(fields); i += 2 {
		field := chromedp.CSS(fmt.Sprintf(`[name=%q]:not([type=hidden], [hidden])`, fields[i]))
		run(p, chromedp.Steps(chromedp.WaitVisible(field), chromedp.Clear(field), chromedp.SendKeys(field, fields[i+1])))
	}
}

// Tick ticks a box, or whatever else a click changes without leaving the page.
func (p *Page) Tick(selector string) {
	p.t.Helper()
	run(p, click(selector))
}

// click waits until an element can be clicked: disabled buttons swallow clicks.
func click(selector string) chromedp.Action[chromedp.Void] {
	element := chromedp.CSS(selector)
	return chromedp.Steps(chromedp.WaitEnabled(element), chromedp.Click(element))
}

// Choose chooses an option of a list by its value.
func (p *Page) Choose(selector, value string) {
	p.t.Helper()
	run(p, chromedp.SetValue(chromedp.CSS(selector), value, chromedp.NodeVisible))
}

// Follow clicks what leads to another page, waits until that is loaded and
// returns its status.
func (p *Page) Follow(selector string) (status int64) {
	p.t.Helper()
	return p.leave(click(selector))
}

// Keys types on the keyboard, wherever the focus is: "\t" goes on to what comes next.
func (p *Page) Keys(keys string) {
	p.t.Helper()
	run(p, chromedp.KeyEvent(keys))
}

// Enter presses the enter key, waits until the page it leads to is loaded and
// returns its status.
func (p *Page) Enter() (status int64) {
	p.t.Helper()
	return p.leave(chromedp.KeyEvent("\r"))
}

// leave does what leads to another page and waits until that is loaded.
func (p *Page) leave(action chromedp.Action[chromedp.Void]) (status int64) {
	p.t.Helper()
	response := do(p, func(ctx context.Context) (*network.Response, error) { return chromedp.RunResponse(ctx, action) })
	if response == nil {
		p.t.Fatalf("at %s: no other page came", p.Where())
	}
	return response.Status
}

// Text is what people read in the element a selector finds.
func (p *Page) Text(selector string) string {
	p.t.Helper()
	return run(p, chromedp.Text(chromedp.CSS(selector)))
}

// Count says how many elements a selector finds.
func (p *Page) Count(selector string) int {
	p.t.Helper()
	return run(p, chromedp.Evaluate[int](fmt.Sprintf("document.querySelectorAll(%q).length", selector)))
}

// Before has JavaScript run on every page from the next one on, before the
// page's own.
func (p *Page) Before(js string) {
	p.t.Helper()
	run(p, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: js})
		return err
	}))
}

// Eval evaluates JavaScript on the page, which need not allow scripts.
func (p *Page) Eval(js string) string {
	p.t.Helper()
	return run(p, chromedp.Evaluate[string]("String("+js+")"))
}

// Where is the address of the page.
func (p *Page) Where() string {
	p.t.Helper()
	return run(p, chromedp.Location())
}

// Picture is the whole page as PNG.
func (p *Page) Picture() []byte {
	p.t.Helper()
	return run(p, chromedp.FullScreenshot(100))
}

// Save writes a picture of the whole page to a file, for people to look at.
func (p *Page) Save(file string) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(file, p.Picture(), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// Unfold opens everything on the page that can be folded.
func (p *Page) Unfold() {
	p.t.Helper()
	run(p, chromedp.Evaluate[chromedp.Void]("document.querySelectorAll('details').forEach(d => d.open = true); undefined"))
}

// Fold closes it again.
func (p *Page) Fold() {
	p.t.Helper()
	run(p, chromedp.Evaluate[chromedp.Void]("document.querySelectorAll('details').forEach(d => d.open = false); undefined"))
}

// Sheets is how many sheets of A4 the page prints on.
func (p *Page) Sheets() int {
	p.t.Helper()
	pdf := run(p, func(ctx context.Context, t *chromedp.Target) ([]byte, error) {
		const width, height = 8.27, 11.69 // inches
		css := true
		r, err := cdp.Call(ctx, t, page.PrintToPDF, page.PrintToPDFParams{PaperWidth: width, PaperHeight: height, PreferCSSPageSize: &css})
		return r.Data, err
	})
	return len(onePage.FindAll(pdf, -1))
}

// onePage finds the page objects of a PDF (ISO 32000-1, 7.7.3.3).
var onePage = regexp.MustCompile(`/Type\s*/Page\b`)

// Overflow is by how many pixels the page is wider than its window: 0, where
// nobody has to scroll sideways (WCAG 2.2, 1.4.10).
func (p *Page) Overflow() int {
	p.t.Helper()
	return run(p, chromedp.Evaluate[int]("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
}

// Zoom sets the text to a percentage of its usual size (WCAG 2.2, 1.4.4).
func (p *Page) Zoom(percent int) {
	p.t.Helper()
	run(p, chromedp.Evaluate[chromedp.Void](fmt.Sprintf("document.documentElement.style.fontSize = '%d%%'; undefined", percent)))
}

// Violation is what axe-core finds fault with.
type Violation struct {
	ID, Impact, Help string
	Targets          []string
}

func (v Violation) String() string {
	return fmt.Sprintf("%s (%s): %s at %s", v.ID, v.Impact, v.Help, strings.Join(v.Targets, ", "))
}

// Axe holds the page to axe-core's rules and returns all that breaks them;
// Serious sorts out what must not be.
func (p *Page) Axe() []Violation {
	p.t.Helper()
	if p.axe == "" {
		data, err := os.ReadFile(filepath.Join(root(p.t), axeFile))
		if err != nil {
			p.t.Fatalf("axe-core is missing: make test fetches it (.ci/axe does, by npm): %v", err)
		}
		p.axe = string(data)
	}
	result := run(p, chromedp.Evaluate[string](p.axe+`; axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(
		r.violations.map(v => ({id: v.id, impact: v.impact, help: v.help, targets: v.nodes.map(n => n.target.join(" "))}))))`, chromedp.EvalAwaitPromise))
	var all []Violation
	if err := json.Unmarshal([]byte(result), &all); err != nil {
		p.t.Fatalf("axe-core answered %q: %v", result, err)
	}
	return all
}

// Serious are the violations that keep somebody from using a page.
func Serious(all []Violation) (serious []Violation) {
	for _, v := range all {
		if v.Impact == "serious" || v.Impact == "critical" {
			serious = append(serious, v)
		}
	}
	return serious
}

// root is the folder of the module.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test's folder")
		}
	}
}

// Out is where pictures go that people look at: out/NAME in the module.
func Out(t testing.TB, name string) string { return filepath.Join(root(t), "out", name) }
