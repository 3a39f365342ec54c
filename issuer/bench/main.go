// Command bench measures the issuers' server: how many codes a second it makes
// with the issue log on disk, what the page of the code weighs, and how long a
// visitor waits for a code. Its last lines read "bench: NAME VALUE UNIT".
//
// What is measured is the server on this machine, over a real connection where
// the line says so; no phone and no radio network is in it.
package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/munjigi/munjigi/issuer"
	"github.com/munjigi/munjigi/issuer/store"
	"github.com/munjigi/munjigi/pass"
)

const (
	phones  = 64
	codes   = 12800
	retries = 400
	brand   = "tos"
)

func main() {
	var err error
	if len(os.Args) == 3 && os.Args[1] == "phones" {
		err = hold(os.Args[2])
	} else {
		err = run(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the server's side: the phones are a process of their own, so that
// their work is not counted.
func run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "munjigi-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := store.CreateDataKey(filepath.Join(dir, "data.key")); err != nil {
		return err
	}
	keys, err := store.OpenKeys(filepath.Join(dir, "data.key"), filepath.Join(dir, "days"))
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, filepath.Join(dir, "issuer.db"), keys)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	brands, err := issuer.SampleBrands()
	if err != nil {
		return err
	}
	for i := range brands {
		if _, brands[i].Key, err = ed25519.GenerateKey(nil); err != nil {
			return err
		}
	}
	// Every look at the clock moves it on, so that no limit per person is met.
	began, looks := time.Now(), atomic.Int64{}
	server, err := issuer.New(issuer.Config{
		Brands: brands, Store: db, Forwarded: true, Log: slog.New(slog.DiscardHandler),
		Now:      func() time.Time { return began.Add(time.Duration(looks.Add(1)) * 600 * time.Millisecond) },
		Helpline: issuer.Helpline{Number: "02-000-0000", Hours: "평일", HoursEN: "weekdays"},
	})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, l) }()
	defer func() { stop(); err = errors.Join(err, <-served) }()

	self, err := os.Executable()
	if err != nil {
		return err
	}
	child := exec.CommandContext(ctx, self, "phones", "http://"+l.Addr().String())
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		return err
	}
	out, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return err
	}
	var weight, wait float64
	if _, err := fmt.Fscanln(out, &weight, &wait); err != nil {
		return fmt.Errorf("hear from the phones: %w", err)
	}
	start, cpu := time.Now(), processTime()
	if err := in.Close(); err != nil { // all at once, now
		return err
	}
	if err := child.Wait(); err != nil {
		return fmt.Errorf("the phones: %w", err)
	}
	took, used := time.Since(start), processTime()-cpu

	start = time.Now()
	for range 2000 {
		if _, err := server.Issue(began, brand, nil); err != nil {
			return err
		}
	}
	bare := time.Since(start)

	fmt.Printf("%s, %d processors, %s\n%d phones in a process of their own, each with a connection and a key; %.0f codes/s by the clock, phones and server on the same processors\n\n",
		runtime.GOARCH, runtime.NumCPU(), runtime.Version(), phones, codes/took.Seconds())
	fmt.Printf("bench: issuer.sign %.0f passes/s\n", codes/used.Seconds()) // per core: by the server's processor time
	fmt.Printf("bench: issuer.sign_bare %.0f passes/s\n", 2000/bare.Seconds())
	fmt.Printf("bench: issuer.code_page %.1f KB\n", weight/1024)
	fmt.Printf("bench: issuer.retry_to_code.p95 %.2f ms\n", wait)
	return nil
}

// hold is the phones' side: it brings them to their codes, prints the weight of
// the page in bytes and the 95th percentile of the wait in ms, and, when its
// input ends, has all of them make codes at once.
func hold(base string) error {
	all := make([]*phone, phones)
	for i := range all {
		all[i] = &phone{base: base, number: fmt.Sprintf("010%08d", i), client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}}}
		if err := all[i].walk(); err != nil {
			return fmt.Errorf("bring a phone to its code: %w", err)
		}
	}
	weight, err := all[0].weigh()
	if err != nil {
		return err
	}
	waits := make([]time.Duration, 0, retries) // one visitor after another: press to answer
	for i := range retries {
		start := time.Now()
		if err := all[i%phones].code(); err != nil {
			return err
		}
		waits = append(waits, time.Since(start))
	}
	slices.Sort(waits)
	fmt.Println(weight, float64(waits[retries*95/100].Microseconds())/1000)
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	errs := make(chan error, phones)
	for _, p := range all {
		go func() {
			var err error
			for range codes / phones {
				if err = p.code(); err != nil {
					break
				}
			}
			errs <- err
		}()
	}
	for range all {
		err = errors.Join(err, <-errs)
	}
	return err
}

// phone is a visitor's, at the API.
type phone struct {
	base, number, cookie, nonce string
	client                      *http.Client
	key                         *ecdsa.PrivateKey
}

func (p *phone) do(method, path string, body any) ([]byte, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(method, p.base+path, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Forwarded-For", "10.0.0."+p.number[8:])
	if p.cookie != "" {
		req.Header.Set("Cookie", "munjigi="+p.cookie)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", path, resp.Status, answer)
	}
	for _, c := range resp.Cookies() {
		p.cookie = c.Value
	}
	var state struct {
		Nonce string `json:"nonce"`
	}
	if json.Unmarshal(answer, &state) == nil && state.Nonce != "" {
		p.nonce = state.Nonce
	}
	return answer, err
}

func (p *phone) walk() (err error) {
	if p.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(&p.key.PublicKey)
	if err != nil {
		return err
	}
	type object = map[string]any
	ticks := []string{"id_1", "id_2", "id_3", "id_4", "id_5"}
	post := func(path string, v object) {
		if err == nil {
			_, err = p.do("POST", "/v1/b/"+brand+"/"+path, v)
		}
	}
	post("consent", object{"agree": []string{"use", "third-parties"}})
	post("identity/choose", object{"method": "sms"})
	post("identity/sms", object{"name": "홍길동", "phone": p.number, "birth": "900301", "sex": "1", "carrier": "skt", "agree": ticks})
	if err != nil {
		return err
	}
	messages, err := p.do("GET", "/app/sms", nil)
	if err != nil {
		return err
	}
	m := regexp.MustCompile(`(?s)` + p.number + ` .*?\[([0-9]{6})\]`).FindSubmatch(messages)
	if m == nil {
		return errors.New("no message came")
	}
	post("identity/check", object{"code": string(m[1])})
	if err != nil {
		return err
	}
	signature, err := p.sign("device")
	if err != nil {
		return err
	}
	post("device", object{"key": base64.RawURLEncoding.EncodeToString(der), "nonce": p.nonce, "signature": signature})
	return err
}

func (p *phone) sign(use string) (string, error) {
	digest := sha256.Sum256([]byte("munjigi " + use + "\n" + brand + "\n" + p.nonce))
	r, s, err := ecdsa.Sign(rand.Reader, p.key, digest[:])
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)), nil
}

func (p *phone) code() error {
	answer, err := p.ask()
	if err != nil && strings.Contains(err.Error(), "401") { // the nonce was too old: the answer brings another
		answer, err = p.ask()
	}
	if err != nil {
		return err
	}
	var a struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return err
	}
	_, err = pass.Parse(a.Text)
	return err
}

func (p *phone) ask() ([]byte, error) {
	signature, err := p.sign("pass")
	if err != nil {
		return nil, err
	}
	return p.do("POST", "/v1/passes", map[string]string{"brand": brand, "nonce": p.nonce, "signature": signature})
}

var parts = regexp.MustCompile(`(?:src|href)="(/web/[^"]+)"`)

// weigh adds up the code's page, everything it loads, and one code.
func (p *phone) weigh() (n int, err error) {
	page, err := p.do("GET", "/b/"+brand+"/qr", nil)
	if err != nil {
		return 0, err
	}
	n = len(page)
	for _, m := range append(parts.FindAllSubmatch(page, -1), [][]byte{nil, []byte("/web/key.js")}) { // qr.js loads key.js
		part, err := p.do("GET", string(m[1]), nil)
		if err != nil {
			return 0, err
		}
		n += len(part)
	}
	if _, err := p.ask(); err != nil && !strings.Contains(err.Error(), "401") {
		return 0, err
	}
	answer, err := p.ask()
	return n + len(answer), err
}
