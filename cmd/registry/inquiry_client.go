package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/pass/trace"
	"github.com/munjigi/munjigi/registry/inquiry"
)

// officer is an officer's tool at work: its own key, the pinned authority, and
// what the registry says. The registry is not trusted: whatever it hands out is
// verified here again.
type officer struct {
	file   officerFile
	me     *trace.Identity
	http   *http.Client
	now    func() time.Time
	roster *trace.Roster
	dir    string // officer.toml's folder
	stdout io.Writer
}

// openOfficer reads officer.toml in dir and fetches the roster.
func openOfficer(ctx context.Context, dir string, c *call) (*officer, error) {
	o := &officer{now: c.now, dir: dir, stdout: c.stdout}
	path := filepath.Join(dir, "officer.toml")
	if err := configs.Load(path, &o.file); err != nil {
		return nil, fmt.Errorf("%w (make one with registry officer init)", err)
	}
	in := func(p string) string {
		if p == "" || filepath.IsAbs(p) {
			return p
		}
		return filepath.Join(dir, p)
	}
	if len(o.file.Authority) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%s: authority is missing: the public key that the authority hands out", path)
	}
	key, err := configs.ReadKey(in(o.file.Key))
	if err != nil {
		return nil, err
	}
	if o.me, err = trace.NewIdentity(o.file.ID, key); err != nil {
		return nil, fmt.Errorf("%s: id: %w", path, err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, Time: c.now}
	if o.file.CA != "" {
		pem, err := os.ReadFile(in(o.file.CA))
		if err != nil {
			return nil, fmt.Errorf("read the registry's ca: %w", err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", o.file.CA)
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	o.http = &http.Client{Transport: transport, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	raw, err := o.send(ctx, "GET", o.at("/roster"), nil, nil)
	if err != nil {
		return nil, err
	}
	if o.roster, err = trace.OpenRoster(raw, ed25519.PublicKey(o.file.Authority)); err != nil {
		return nil, err
	}
	return o, nil
}

// at is an address of the registry.
func (o *officer) at(path string) string {
	return strings.TrimSuffix(o.file.Registry, "/") + inquiry.Path + path
}

// called sends a request that bears a call, and returns the call too.
func (o *officer) called(ctx context.Context, method, path string) (answer, call []byte, err error) {
	address := o.at(path)
	u, err := url.Parse(address)
	if err != nil {
		return nil, nil, fmt.Errorf("registry in officer.toml: %w", err)
	}
	if call, err = o.me.Call(method, u.RequestURI(), o.now()); err != nil {
		return nil, nil, err
	}
	answer, err = o.send(ctx, method, address, nil, call)
	return answer, call, err
}

// send returns the body of a 2xx answer; a problem's detail is the error.
func (o *officer) send(ctx context.Context, method, address string, body, call []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", trace.ContentType)
	}
	if call != nil {
		r.Header.Set("Authorization", inquiry.Scheme+" "+base64.RawURLEncoding.EncodeToString(call))
	}
	resp, err := o.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, trace.PageSize*3*trace.MaxMessage))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return raw, nil
	}
	var p struct{ Detail string }
	if resp.Header.Get("Content-Type") == "application/problem+json" && json.Unmarshal(raw, &p) == nil && p.Detail != "" && len(p.Detail) < 300 {
		return nil, fmt.Errorf("%s answers %d: %s", r.URL.Host, resp.StatusCode, p.Detail)
	}
	return nil, fmt.Errorf("%s answers %s", r.URL.Host, resp.Status)
}

// listed is one inquiry whose order and place this tool has verified itself.
type listed struct {
	*trace.Order
	trace.Entry
}

func (o *officer) list(ctx context.Context) ([]listed, error) {
	raw, call, err := o.called(ctx, "GET", "")
	if err != nil {
		return nil, err
	}
	entries, err := o.roster.OpenListing(o.me, raw, call, o.now())
	if err != nil {
		return nil, err
	}
	var all []listed
	for _, e := range entries {
		order, err := o.roster.OpenOrder(e.Order, o.now())
		if err == nil {
			err = order.Holds(e.Place)
		}
		if err != nil {
			return nil, fmt.Errorf("the registry lists an order that does not verify: %w", err)
		}
		all = append(all, listed{order, e})
	}
	return all, nil
}

// find is the one inquiry whose digest begins with prefix.
func (o *officer) find(ctx context.Context, prefix string) (listed, error) {
	all, err := o.list(ctx)
	if err != nil {
		return listed{}, err
	}
	var found []listed
	for _, l := range all {
		if prefix != "" && strings.HasPrefix(l.Digest().String(), strings.ToLower(prefix)) {
			found = append(found, l)
		}
	}
	if len(found) != 1 {
		return listed{}, fmt.Errorf("%d inquiries begin with %q: registry inquiry list shows them", len(found), prefix)
	}
	return found[0], nil
}

// letters are all that belongs to an inquiry, held against its report.
type letters struct {
	report *trace.Report
	groups []trace.Letters
	sheets []*trace.Sheet
}

var errNoGroups = errors.New("this inquiry is not approved yet: another officer runs registry inquiry approve")

func (o *officer) letters(ctx context.Context, q listed) (*letters, error) {
	if q.State == trace.StateAsked {
		return nil, errNoGroups
	}
	l := &letters{}
	for from := 0; ; from += trace.PageSize {
		raw, _, err := o.called(ctx, "GET", fmt.Sprintf("/%s/letters?from=%d", q.Digest(), from))
		if err != nil {
			return nil, err
		}
		page, err := trace.DecodePage(raw)
		if err != nil {
			return nil, err
		}
		if l.report == nil {
			if l.report, err = o.roster.OpenReport(o.me, page.Report, q.Digest(), o.now()); err != nil {
				return nil, fmt.Errorf("the registry's report: %w", err)
			}
		}
		l.groups = append(l.groups, page.Groups...)
		if len(page.Groups) < trace.PageSize {
			break
		}
	}
	if len(l.groups) != len(l.report.Groups) {
		return nil, fmt.Errorf("the registry's report names %d groups, it handed out %d", len(l.report.Groups), len(l.groups))
	}
	for n, g := range l.groups {
		ref := l.report.Groups[n]
		s, err := o.roster.OpenSheet(o.me, g.Sheet, q.Digest(), o.now())
		if err != nil {
			return nil, fmt.Errorf("sheet %d: %w", n+1, err)
		}
		if digest := trace.DigestOf(g.Group); s.Issuer != ref.Issuer || string(s.Group[:]) != string(ref.Group) || len(s.Seen) != ref.Passes ||
			len(g.Group) > 0 && digest != s.Group {
			return nil, fmt.Errorf("group %d is not the one the registry's report names", n+1)
		}
		l.sheets = append(l.sheets, s)
	}
	return l, nil
}
