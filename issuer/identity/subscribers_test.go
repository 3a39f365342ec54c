package identity

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestHTTPSubscribers holds what each answer of the carriers means: a clear yes
// or no, or none at all, whose error names nobody.
func TestHTTPSubscribers(t *testing.T) {
	var status int
	var body, got, auth string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, auth = string(b), r.Header.Get("Authorization")
		if status == 307 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	defer s.Close()
	client := s.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	carriers := &HTTPSubscribers{URL: s.URL, Token: "secret", Client: client}
	id := Identity{Name: "홍길동", Phone: "01012345678", Carrier: "skt-mvno", Birth: "1990-03-01", Foreign: true}
	for name, tt := range map[string]struct {
		status int
		body   string
		want   error
	}{
		"yes":              {200, `{"match": true}`, nil},
		"no":               {200, `{"match": false}`, ErrMismatch},
		"a wrong address":  {404, ``, ErrAway},
		"neither":          {200, `{}`, ErrAway},
		"something else":   {200, `<html>`, ErrAway},
		"a captive portal": {204, ``, ErrAway},
		"without end":      {200, `{"match": tru` + strings.Repeat("e", 1<<20), ErrAway},
		"our token":        {401, ``, ErrAway},
		"too many":         {429, ``, ErrAway},
		"broken":           {500, `01012345678`, ErrAway},
		"leads elsewhere":  {307, ``, ErrAway},
	} {
		status, body = tt.status, tt.body
		err := carriers.Confirm(t.Context(), id)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		if err != nil && (strings.Contains(err.Error(), id.Phone) || strings.Contains(err.Error(), id.Name)) {
			t.Errorf("%s: the error names somebody: %v", name, err)
		}
		if status == 200 && (auth != "Bearer secret" || got != `{"name":"홍길동","phone":"01012345678","carrier":"skt-mvno","birth":"1990-03-01","foreign":true}`) {
			t.Errorf("%s: asked with %s: %s", name, auth, got)
		}
	}
	// One that hears and never answers, and one that is not there.
	deaf := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer deaf.Close()
	late := &HTTPSubscribers{URL: deaf.URL, Client: &http.Client{Timeout: 50 * time.Millisecond}}
	if err := late.Confirm(t.Context(), id); !errors.Is(err, ErrAway) || strings.Contains(err.Error(), id.Phone) {
		t.Errorf("an answer too late: %v", err)
	}
	s.Close()
	if err := carriers.Confirm(t.Context(), id); !errors.Is(err, ErrAway) || strings.Contains(err.Error(), id.Phone) {
		t.Errorf("nobody there: %v", err)
	}
}

// away is a carrier that answers nobody until it is back.
type away struct{ back bool }

func (a *away) Confirm(context.Context, Identity) error {
	if a.back {
		return nil
	}
	return ErrAway
}

// TestCarrierAway holds that whoever has done their part need not do it again
// because the carrier does not answer at that moment.
func TestCarrierAway(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	carrier := &away{}
	w.SMS.Subscribers, w.pass.Subscribers, w.otp.Subscribers = carrier, carrier, carrier
	account, err := w.pass.Accounts.Register(ctx, t0, PassApp, Identity{Name: hong.Name, Phone: "01012345678", Carrier: "skt", Birth: "1990-03-01"}, "135790")
	if err != nil {
		t.Fatal(err)
	}
	app, ok, err := w.pass.Accounts.Account(ctx, t0, PassApp, account)
	if err != nil || !ok {
		t.Fatal(err)
	}
	bySMS, err := w.SMS.Begin(ctx, t0, "네이버", hong)
	if err != nil {
		t.Fatal(err)
	}
	byPass, err := w.pass.Begin(ctx, t0, "네이버", Claim{Name: hong.Name, Phone: hong.Phone, Carrier: "skt"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.pass.Answer(ctx, t0, app, byPass.Request, true); err != nil {
		t.Fatal(err)
	}
	for _, back := range []bool{false, true} {
		carrier.back = back
		var want error
		if !back {
			want = ErrAway
		}
		if _, err := w.SMS.Check(ctx, t0, bySMS, w.code(t)); !errors.Is(err, want) || Over(err) {
			t.Errorf("sms, the carrier back %v: %v", back, err)
		}
		if _, err := w.pass.Check(ctx, t0, byPass, ""); !errors.Is(err, want) || Over(err) {
			t.Errorf("pass, the carrier back %v: %v", back, err)
		}
	}
	if _, err := w.SMS.Check(ctx, t0, bySMS, w.code(t)); !errors.Is(err, ErrTries) {
		t.Errorf("a code is taken twice: %v", err)
	}
	if _, err := w.pass.Check(ctx, t0, byPass, ""); !errors.Is(err, ErrExpired) {
		t.Errorf("an approval is taken twice: %v", err)
	}
}
