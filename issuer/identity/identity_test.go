package identity

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/munjigi/munjigi/issuer/store"
)

var t0 = time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC)

var hong = Claim{Name: "홍길동", Phone: "010-1234-5678", Carrier: "skt", Birth: "900301", Sex: "1"}

type world struct {
	*SMS
	pass  *Pass
	otp   *OTP
	inbox *Inbox
	now   time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db, err := store.Memory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w := &world{now: t0}
	w.inbox = &Inbox{Now: func() time.Time { return w.now }}
	accounts := &Accounts{Docs: db}
	w.SMS = &SMS{Docs: db, Gateway: w.inbox, Subscribers: AnySubscriber{}}
	w.pass = &Pass{Docs: db, Accounts: accounts, Subscribers: AnySubscriber{}}
	w.otp = &OTP{Accounts: accounts, Subscribers: AnySubscriber{}}
	return w
}

func (w *world) code(t *testing.T) string {
	t.Helper()
	m := regexp.MustCompile(`\[([0-9]{6})\]`).FindStringSubmatch(w.inbox.Messages()[0].Text)
	if m == nil {
		t.Fatal("no code in the message")
	}
	return m[1]
}

func wrong(code string) string {
	if code[0] == '0' {
		return "1" + code[1:]
	}
	return "0" + code[1:]
}

func TestForm(t *testing.T) {
	for name, spoil := range map[string]func(*Claim){
		"no name": func(c *Claim) { c.Name = " " }, "no mobile number": func(c *Claim) { c.Phone = "02-123-4567" },
		"no carrier": func(c *Claim) { c.Carrier = "at&t" }, "no date": func(c *Claim) { c.Birth = "901301" },
		"no sex digit": func(c *Claim) { c.Sex = "9" }, "born tomorrow": func(c *Claim) { c.Birth, c.Sex = "261123", "3" },
	} {
		c := hong
		spoil(&c)
		if _, err := newWorld(t).SMS.Begin(t.Context(), t0, "네이버", c); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for sex, want := range map[string]Identity{
		"1": {Birth: "1990-03-01"}, "2": {Birth: "1990-03-01"}, "5": {Birth: "1990-03-01", Foreign: true}, "8": {Birth: "2090-03-01", Foreign: true},
		"3": {Birth: "2090-03-01"},
	} {
		c := hong
		c.Sex = sex
		got, err := c.identity(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC))
		if err != nil || got.Birth != want.Birth || got.Foreign != want.Foreign {
			t.Errorf("%s: %+v %v", sex, got, err)
		}
	}
}

func TestAge(t *testing.T) {
	// 15:00 UTC is midnight in Korea.
	for _, tt := range []struct {
		birth string
		now   time.Time
		want  int
	}{
		{"2012-11-23", time.Date(2026, 11, 22, 14, 59, 59, 0, time.UTC), 13},
		{"2012-11-23", time.Date(2026, 11, 22, 15, 0, 0, 0, time.UTC), 14},
		{"2012-02-29", time.Date(2026, 2, 28, 0, 0, 0, 0, time.UTC), 13},
		{"2012-02-29", time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), 14},
	} {
		if got, err := Age(tt.birth, tt.now); err != nil || got != tt.want {
			t.Errorf("%s at %s: %d %v", tt.birth, tt.now, got, err)
		}
	}
}

func TestSMS(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	a, err := w.SMS.Begin(ctx, t0, "네이버", hong)
	if err != nil {
		t.Fatal(err)
	}
	text := w.inbox.Messages()[0].Text
	for _, part := range []string{"[네이버]", "전화사기"} {
		if !strings.Contains(text, part) {
			t.Errorf("the message lacks %q", part)
		}
	}
	if _, err := w.Check(ctx, t0, a, wrong(w.code(t))); !errors.Is(err, ErrWrong) {
		t.Errorf("a wrong code: %v", err)
	}
	id, err := w.Check(ctx, t0.Add(CodeLife-time.Second), a, w.code(t))
	if err != nil || id.Phone != "01012345678" || id.Birth != "1990-03-01" {
		t.Errorf("%+v %v", id, err)
	}
	if _, err := w.Check(ctx, t0, a, w.code(t)); !errors.Is(err, ErrTries) {
		t.Errorf("a code used twice: %v", err)
	}
}

func TestSMSTime(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	a, err := w.SMS.Begin(ctx, t0, "네이버", hong)
	if err != nil {
		t.Fatal(err)
	}
	for i := range MaxExtends {
		if err := w.Extend(a.Until.Add(-time.Second), a); err != nil {
			t.Fatalf("extension %d: %v", i, err)
		}
	}
	if err := w.Extend(a.Until.Add(-time.Second), a); !errors.Is(err, ErrLimit) {
		t.Errorf("one extension too many: %v", err)
	}
	if _, err := w.Check(ctx, a.Until, a, w.code(t)); !errors.Is(err, ErrExpired) {
		t.Errorf("after the time: %v", err)
	}
	old := w.code(t)
	if err := w.Resend(ctx, a.Until, a); err != nil {
		t.Fatal(err)
	}
	if old != w.code(t) { // one in a million
		if _, err := w.Check(ctx, a.Until.Add(-time.Second), a, old); !errors.Is(err, ErrWrong) {
			t.Errorf("the first message's code after a second one: %v", err)
		}
	}
	if _, err := w.Check(ctx, a.Until.Add(-time.Second), a, w.code(t)); err != nil {
		t.Error(err)
	}
}

// TestSMSBruteForce counts the guesses that one number allows in a day.
func TestSMSBruteForce(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	guesses, messages := 0, 0
	for {
		a, err := w.SMS.Begin(ctx, t0, "네이버", hong)
		if errors.Is(err, ErrLimit) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		messages++
		for {
			_, err := w.Check(ctx, t0, a, wrong(w.code(t)))
			guesses++
			if errors.Is(err, ErrTries) {
				break
			}
			if !errors.Is(err, ErrWrong) {
				t.Fatal(err)
			}
		}
	}
	if messages != MaxSends || guesses != MaxSends*MaxTries {
		t.Errorf("%d messages, %d guesses", messages, guesses)
	}
	if _, err := w.SMS.Begin(ctx, t0.Add(24*time.Hour), "네이버", hong); err != nil {
		t.Errorf("the next day: %v", err)
	}
	// Resending does not give more tries.
	other := hong
	other.Phone = "01099998888"
	a, err := w.SMS.Begin(ctx, t0, "네이버", other)
	if err != nil {
		t.Fatal(err)
	}
	for range MaxResends {
		if err := w.Resend(ctx, t0, a); err != nil {
			t.Fatal(err)
		}
		w.Check(ctx, t0, a, wrong(w.code(t)))
	}
	if err := w.Resend(ctx, t0, a); !errors.Is(err, ErrLimit) || a.Tries != MaxResends {
		t.Errorf("%v after %d tries", err, a.Tries)
	}
}

type nobody struct{}

func (nobody) Confirm(context.Context, Identity) error { return ErrMismatch }

func TestTheCarrierHasTheLastWord(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.SMS.Subscribers = nobody{}
	a, err := w.SMS.Begin(ctx, t0, "네이버", hong)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Check(ctx, t0, a, w.code(t)); !errors.Is(err, ErrMismatch) {
		t.Error(err)
	}
}

func (w *world) register(t *testing.T, app App, pin string) []byte {
	t.Helper()
	c := hong
	id, err := c.identity(t0)
	if err != nil {
		t.Fatal(err)
	}
	account, err := w.pass.Accounts.Register(t.Context(), t0, app, id, pin)
	if err != nil {
		t.Fatal(err)
	}
	return account
}

func (w *world) account(t *testing.T, app App, id []byte) Account {
	t.Helper()
	v, ok, err := w.pass.Accounts.Account(t.Context(), t0, app, id)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	return v
}

func TestPass(t *testing.T) {
	for _, tt := range []struct {
		name    string
		claim   Claim
		approve bool
		want    error
	}{
		{"approved", hong, true, nil},
		{"refused", hong, false, ErrRefused},
		{"another name", Claim{Name: "김철수", Phone: hong.Phone, Carrier: hong.Carrier}, true, ErrMismatch},
		{"another carrier", Claim{Name: hong.Name, Phone: hong.Phone, Carrier: "kt"}, true, ErrMismatch},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, ctx := newWorld(t), t.Context()
			v := w.account(t, PassApp, w.register(t, PassApp, "135790"))
			a, err := w.pass.Begin(ctx, t0, "네이버", tt.claim)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.pass.Check(ctx, t0, a, ""); !errors.Is(err, ErrPending) {
				t.Errorf("before the approval: %v", err)
			}
			all, err := w.pass.Requests(ctx, t0, v)
			if err != nil || len(all) != 1 || all[0].Asker != "네이버" {
				t.Fatalf("%+v %v", all, err)
			}
			if err := w.pass.Answer(ctx, t0, v, all[0].ID, tt.approve); err != nil {
				t.Fatal(err)
			}
			id, err := w.pass.Check(ctx, t0, a, "")
			if !errors.Is(err, tt.want) || err == nil && id != v.Identity {
				t.Errorf("%+v %v", id, err)
			}
			if _, err := w.pass.Check(ctx, t0, a, ""); !errors.Is(err, ErrExpired) {
				t.Errorf("an answer taken twice: %v", err)
			}
		})
	}
}

func TestPassByNumber(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	v := w.account(t, PassApp, w.register(t, PassApp, "135790"))
	a, err := w.pass.Begin(ctx, t0, "네이버", Claim{})
	if err != nil || len(a.Number) != 6 {
		t.Fatalf("%+v %v", a, err)
	}
	if _, err := w.pass.Numbered(ctx, t0, wrong(a.Number)); !errors.Is(err, ErrWrong) {
		t.Error(err)
	}
	r, err := w.pass.Numbered(ctx, t0, a.Number)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.pass.Answer(ctx, t0, v, r.ID, true); err != nil {
		t.Fatal(err)
	}
	if id, err := w.pass.Check(ctx, t0, a, ""); err != nil || id != v.Identity {
		t.Errorf("%+v %v", id, err)
	}
}

// TestPassOnlyThere holds that a request reaches its number only, and ends.
func TestPassOnlyThere(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	a, err := w.pass.Begin(ctx, t0, "네이버", hong)
	if err != nil {
		t.Fatal(err)
	}
	stranger := Account{Identity: Identity{Name: "홍길동", Phone: "01000000000", Carrier: "skt"}}
	if all, err := w.pass.Requests(ctx, t0, stranger); err != nil || len(all) != 0 {
		t.Errorf("%v %v", all, err)
	}
	if err := w.pass.Answer(ctx, t0, stranger, a.Request, true); !errors.Is(err, ErrExpired) {
		t.Errorf("a stranger approves: %v", err)
	}
	if _, err := w.pass.Check(ctx, a.Until, a, ""); !errors.Is(err, ErrExpired) {
		t.Error(err)
	}
}

// TestPassFlood holds that a number has few requests at a time, known or not.
func TestPassFlood(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	for range MaxRequests {
		if _, err := w.pass.Begin(ctx, t0, "네이버", hong); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.pass.Begin(ctx, t0, "네이버", hong); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
	if _, err := w.pass.Begin(ctx, t0.Add(RequestLife), "네이버", hong); err != nil {
		t.Error(err)
	}
}

func TestOTP(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	v := w.account(t, OTPApp, w.register(t, OTPApp, "1357"))
	code, left := v.Code(t0.Add(10 * time.Second))
	if left != 50*time.Second {
		t.Errorf("%s left, want 50 s", left)
	}
	begin := func(now time.Time) *Attempt {
		a, err := w.otp.Begin(ctx, now, "네이버", Claim{Phone: hong.Phone})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := begin(t0)
	if _, err := w.otp.Check(ctx, t0, a, wrong(code)); !errors.Is(err, ErrWrong) {
		t.Error(err)
	}
	// Read in its last second, typed within the next minute.
	if id, err := w.otp.Check(ctx, t0.Add(119*time.Second), a, code); err != nil || id != v.Identity {
		t.Errorf("%+v %v", id, err)
	}
	if _, err := w.otp.Check(ctx, t0.Add(119*time.Second), begin(t0), code); !errors.Is(err, ErrWrong) {
		t.Errorf("a code used twice: %v", err)
	}
	next, _ := v.Code(t0.Add(time.Minute))
	if _, err := w.otp.Check(ctx, t0.Add(3*time.Minute), begin(t0.Add(3*time.Minute)), next); !errors.Is(err, ErrWrong) {
		t.Errorf("a code of two minutes ago: %v", err)
	}
}

// TestOTPLocks holds that five wrong codes lock, whoever types them and
// wherever, that the right one does not help then, and that a new registration
// does. A number without the app looks the same from outside.
func TestOTPLocks(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	v := w.account(t, OTPApp, w.register(t, OTPApp, "1357"))
	code, _ := v.Code(t0)
	for _, phone := range []string{hong.Phone, "01000000000"} {
		a, err := w.otp.Begin(ctx, t0, "네이버", Claim{Phone: phone})
		if err != nil {
			t.Fatal(err)
		}
		for i := range MaxWrong {
			want := ErrWrong
			if i == MaxWrong-1 {
				want = ErrLocked
			}
			if _, err := w.otp.Check(ctx, t0, a, wrong(code)); !errors.Is(err, want) {
				t.Errorf("%s, wrong code %d: %v", phone, i+1, err)
			}
		}
	}
	a, _ := w.otp.Begin(ctx, t0, "네이버", Claim{Phone: hong.Phone})
	if _, err := w.otp.Check(ctx, t0, a, code); !errors.Is(err, ErrLocked) {
		t.Errorf("the right code after the lock: %v", err)
	}
	v = w.account(t, OTPApp, w.register(t, OTPApp, "2468"))
	code, _ = v.Code(t0)
	a, _ = w.otp.Begin(ctx, t0, "네이버", Claim{Phone: hong.Phone})
	if _, err := w.otp.Check(ctx, t0, a, code); err != nil {
		t.Errorf("after the unlocking: %v", err)
	}
}

func TestPINLocks(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	id := w.register(t, OTPApp, "1357")
	open := func(pin string) error { return w.otp.Accounts.Open(ctx, t0, OTPApp, id, pin) }
	for range 3 { // a right PIN forgives
		if err := open("0000"); !errors.Is(err, ErrWrong) {
			t.Fatal(err)
		}
		if err := open("1357"); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.otp.Accounts.ChangePIN(ctx, t0, OTPApp, id, "1357", "12345"); !errors.Is(err, ErrForm) {
		t.Error(err)
	}
	if err := w.otp.Accounts.ChangePIN(ctx, t0, OTPApp, id, "1357", "2468"); err != nil {
		t.Fatal(err)
	}
	for i := range MaxWrong {
		want := ErrWrong
		if i == MaxWrong-1 {
			want = ErrLocked
		}
		if err := open("1357"); !errors.Is(err, want) {
			t.Errorf("the old PIN: %v", err)
		}
	}
	if err := open("2468"); !errors.Is(err, ErrLocked) {
		t.Errorf("the right PIN after the lock: %v", err)
	}
}

func TestHTTPGateway(t *testing.T) {
	status := 204
	var got, auth string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, auth = string(b), r.Header.Get("Authorization")
		w.WriteHeader(status)
	}))
	defer s.Close()
	g := &HTTPGateway{URL: s.URL, Token: "secret", Client: s.Client()}
	if err := g.Send(t.Context(), "01012345678", "인증번호 123456"); err != nil || auth != "Bearer secret" || !strings.Contains(got, `"to":"01012345678"`) {
		t.Errorf("%v %s %s", err, auth, got)
	}
	status = 500
	if err := g.Send(t.Context(), "01012345678", "인증번호 123456"); err == nil || strings.Contains(err.Error(), "123456") || strings.Contains(err.Error(), "01012345678") {
		t.Error(err)
	}
}
