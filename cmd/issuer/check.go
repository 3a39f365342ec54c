package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/munjigi/munjigi/issuer/store"
)

// errCheck ends with exit status 1; what is wrong has been printed.
var errCheck = errors.New("something must be put right before visitors come")

// check says what an operator must put right, or will have to soon.
func check(path string, now time.Time, stdout io.Writer) error {
	f, brands, err := load(path)
	if err != nil {
		return err
	}
	wrong := false
	say := func(trouble string, urgent bool, fine string, a ...any) {
		state, text := "ok   ", fmt.Sprintf(fine, a...)
		switch {
		case urgent:
			state, text, wrong = "wrong", trouble, true
		case trouble != "":
			state, text = "soon ", trouble
		}
		fmt.Fprintln(stdout, state, text)
	}
	if _, err := store.OpenKeys(f.DataKey, f.DayKeys); err != nil {
		say(err.Error(), true, "")
	} else {
		say("", false, "the data key %s opens", f.DataKey)
	}
	for _, b := range brands {
		keys, err := keysOf(b)
		if err != nil {
			return err
		}
		until := signsUntil(keys, now)
		trouble, urgent := keyTrouble(b.ID, until, now)
		if trouble != "" {
			trouble = b.ID + ": " + trouble
		}
		say(trouble, urgent, "%s: its keys sign until %s", b.ID, until.Format(time.DateOnly))
		if b.Authorities == nil {
			continue
		}
		until, err = b.Authorities.Until(now)
		switch {
		case err != nil:
			say(fmt.Sprintf("%s: nobody can be verified by certificate: %v", b.ID, err), true, "")
		default:
			say("", false, "%s: the lists of revoked certificates hold until %s", b.ID, until.Format(time.RFC3339))
		}
	}
	for _, v := range []struct{ url, without string }{
		{f.SMS.URL, "sms.url is not set: every code by sms can be read by anybody on the page /app/sms"},
		{f.Subscribers.URL, "subscribers.url is not set: no carrier is asked whether a line is the person's"},
	} {
		if v.url == "" {
			fmt.Fprintln(stdout, "demo ", v.without)
		}
	}
	if wrong {
		return errCheck
	}
	return nil
}
