package owners

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Mail is a message to an owner's account. It never speaks of visitors.
type Mail struct {
	To      string `json:"to"`    // e-mail address; empty where the account has none
	Phone   string `json:"phone"` // the business's number, digits: for a hook that sends text messages
	Subject string `json:"subject"`
	Text    string `json:"text"`
}

// LogValue implements slog.LogValuer: neither address nor link reaches a log.
func (m Mail) LogValue() slog.Value { return slog.StringValue("mail") }

// Mailer takes a message on its way. Send returns when the next hop has it, or
// with an error when it may be tried again.
type Mailer interface {
	Send(ctx context.Context, m Mail) error
}

// Hook is a Mailer that posts each message as JSON to the operator's own
// gateway, which answers 2xx once it has taken it.
type Hook struct {
	url    string
	client *http.Client
}

// NewHook checks an address: https, or http to this machine.
func NewHook(address string) (*Hook, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("mail hook %q is no address: write https://host/path", address)
	}
	local := u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1"
	if u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return nil, fmt.Errorf("mail hook %q would carry links in the clear: use https, or http to this machine", u.Redacted())
	}
	return &Hook{url: address, client: &http.Client{
		Timeout: 15 * time.Second,
		// A redirect would carry the link to somebody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Send implements Mailer.
func (h *Hook) Send(ctx context.Context, m Mail) error {
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("write a mail: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("send a mail: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := h.client.Do(r)
	if err != nil {
		return fmt.Errorf("send a mail: %w", err)
	}
	defer answer.Body.Close()
	io.Copy(io.Discard, io.LimitReader(answer.Body, 4<<10))
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("send a mail: the hook answered %s", answer.Status)
	}
	return nil
}

// Outbox is the Mailer without a hook: it keeps the last messages in memory
// and shows them on the operator's own page, who hands a link on by phone. Its
// links are on no disk, and none is shown once it has run out.
type Outbox struct {
	Now func() time.Time

	mu  sync.Mutex
	all []posted
}

type posted struct {
	At time.Time
	Mail
}

const (
	outboxSize = 100
	outboxLife = 24 * time.Hour
)

// Send implements Mailer.
func (o *Outbox) Send(_ context.Context, m Mail) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, posted{At: o.Now(), Mail: m})
	o.all = o.all[max(0, len(o.all)-outboxSize):]
	return nil
}

// Messages lists what is kept, newest first.
func (o *Outbox) Messages() []Mail {
	var all []Mail
	for _, p := range o.recent() {
		all = append(all, p.Mail)
	}
	return all
}

func (o *Outbox) recent() []posted {
	o.mu.Lock()
	defer o.mu.Unlock()
	since := o.Now().Add(-outboxLife)
	var all []posted
	for i := len(o.all) - 1; i >= 0; i-- {
		if o.all[i].At.After(since) {
			all = append(all, o.all[i])
		}
	}
	return all
}

var outboxPage = template.Must(template.New("outbox").Funcs(template.FuncMap{"phone": spoken}).Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Outbox</title></head>
<body><main><h1>Outbox</h1>
<p>Messages to owners that no mail hook carries ([mail] hook in registry.toml). Hand a link on only to somebody you have called back at the number that is given. They are kept in memory for a day.</p>
{{range .}}<article><h2>{{.Subject}}</h2><p>{{.At.Format "2006-01-02 15:04:05 MST"}} · {{with .To}}{{.}}{{else}}no e-mail address{{end}} · {{phone .Phone}}</p><pre>{{.Text}}</pre></article>
{{else}}<p>There are none.</p>{{end}}</main></body></html>
`))

// ServeHTTP shows the messages. Mount it where the operator alone can reach it:
// on the admin address.
func (o *Outbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Another site's page must not read this one under a name that it has had
	// pointed at this machine (DNS rebinding): only an address or localhost will do.
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err != nil && host != "localhost" {
		http.Error(w, "open this page by the machine's address or as localhost", http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	outboxPage.Execute(w, o.recent())
}
