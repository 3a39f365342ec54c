package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/munjigi/munjigi/pass/trace"
	"github.com/munjigi/munjigi/registry/store"
)

// inquiryCommands are an officer's tool. It runs on the officer's own machine, on
// the folder that officer init made; the key never leaves it. INQUIRY is the
// beginning of an inquiry's name, as list shows it.
func inquiryCommands() []command {
	const dir = "[-officer FOLDER] "
	return []command{
		{"inquiry find", dir + "WORD", "look for a facility by a part of its name", officerDoes(1, func(ctx context.Context, o *officer, args []string) error {
			return o.facilities(ctx, args[0])
		})},
		{"inquiry ask", dir + "-facility ID -from TIME -to TIME -case NUMBER -reason TEXT", "begin an inquiry; times as 2026-11-22T13:00, Korea's", inquiryAsk},
		{"inquiry list", dir, "what waits for approval, and your own", officerDoes(0, func(ctx context.Context, o *officer, _ []string) error {
			return o.printList(ctx)
		})},
		{"inquiry approve", dir + "[-yes] INQUIRY", "read another officer's inquiry; with -yes sign it", inquiryApprove},
		{"inquiry fetch", dir + "INQUIRY", "carry the sealed groups to their issuers and the answers back", officerOn((*officer).fetch)},
		{"inquiry deposit", dir + "INQUIRY FILE", "hand in an answer that came by another way", officerDoes(2, func(ctx context.Context, o *officer, args []string) error {
			q, err := o.find(ctx, args[0])
			if err != nil {
				return err
			}
			return o.deposit(ctx, q, args[1])
		})},
		{"inquiry open", dir + "[-csv] INQUIRY", "open the answers and join them with the times", inquiryOpen},
		{"inquiry close", dir + "INQUIRY", "erase it at the registry", officerOn((*officer).close)},
	}
}

// officerDoes is a command that takes n words.
func officerDoes(n int, f func(ctx context.Context, o *officer, args []string) error) func(context.Context, *call, []string) error {
	return func(ctx context.Context, c *call, args []string) error {
		dir := c.flags.String("officer", ".", "the officer's `folder`")
		args, err := c.parse(args, n)
		if err != nil {
			return err
		}
		o, err := openOfficer(ctx, *dir, c)
		if err != nil {
			return err
		}
		return f(ctx, o, args)
	}
}

// officerOn is a command that takes an inquiry.
func officerOn(f func(o *officer, ctx context.Context, q listed) error) func(context.Context, *call, []string) error {
	return officerDoes(1, func(ctx context.Context, o *officer, args []string) error {
		q, err := o.find(ctx, args[0])
		if err != nil {
			return err
		}
		return f(o, ctx, q)
	})
}

func inquiryAsk(ctx context.Context, c *call, args []string) error {
	var d trace.Draft
	c.flags.StringVar(&d.Facility, "facility", "", "the facility's `id`, see inquiry find")
	c.flags.StringVar(&d.Case, "case", "", "the case's `number`; issuers see it, so that it must not tell the place")
	c.flags.StringVar(&d.Reason, "reason", "", "`why`; only officers and the registry see it")
	c.flags.Func("from", "`time` the window begins", parseTime(&d.From))
	c.flags.Func("to", "`time` the window ends, at most 24 hours later", parseTime(&d.To))
	return officerDoes(0, func(ctx context.Context, o *officer, _ []string) error { return o.ask(ctx, d) })(ctx, c, args)
}

func inquiryApprove(ctx context.Context, c *call, args []string) error {
	yes := c.flags.Bool("yes", false, "sign it")
	return officerOn(func(o *officer, ctx context.Context, q listed) error { return o.approve(ctx, q, *yes) })(ctx, c, args)
}

func inquiryOpen(ctx context.Context, c *call, args []string) error {
	table := c.flags.Bool("csv", false, "as comma-separated values")
	return officerOn(func(o *officer, ctx context.Context, q listed) error { return o.open(ctx, q, *table) })(ctx, c, args)
}

// parseTime reads a time of day in Korea, or any with its zone.
func parseTime(to *time.Time) func(string) error {
	return func(text string) (err error) {
		for _, layout := range []string{"2006-01-02T15:04", "2006-01-02 15:04"} {
			if *to, err = time.ParseInLocation(layout, text, store.Seoul); err == nil {
				return nil
			}
		}
		if *to, err = time.Parse(time.RFC3339, text); err != nil {
			return errors.New("want a time like 2026-11-22T13:00")
		}
		return nil
	}
}

func korean(t time.Time) string { return t.In(store.Seoul).Format("2006-01-02 15:04:05") }

func (o *officer) facilities(ctx context.Context, word string) error {
	raw, _, err := o.called(ctx, "GET", "/facilities?name="+url.QueryEscape(word))
	if err != nil {
		return err
	}
	var all []struct{ ID, Name, Kind string }
	if err := json.Unmarshal(raw, &all); err != nil {
		return fmt.Errorf("the registry's list of facilities: %w", err)
	}
	for _, f := range all {
		fmt.Fprintf(o.stdout, "%q  %q  %q\n", f.ID, f.Name, f.Kind)
	}
	if len(all) == 0 {
		return errors.New("no facility has that in its name")
	}
	return nil
}

func (o *officer) ask(ctx context.Context, d trace.Draft) error {
	order, place, err := o.me.Ask(d, o.now())
	if err != nil {
		return err
	}
	registry, err := o.roster.Registry(o.now())
	if err != nil {
		return err
	}
	request, err := o.me.SealRequest(registry, order, place, o.now())
	if err != nil {
		return err
	}
	if _, err := o.send(ctx, "POST", o.at(""), request, nil); err != nil {
		return err
	}
	fmt.Fprintf(o.stdout, "asked: %.12s\nnow another officer approves it within 24 hours\n", trace.DigestOf(order))
	return nil
}

func (o *officer) printList(ctx context.Context) error {
	all, err := o.list(ctx)
	if err != nil {
		return err
	}
	for _, l := range all {
		fmt.Fprintf(o.stdout, "%.12s  %-8s  case %s  by %s  %s – %s  answers %d of %d\n",
			l.Digest(), l.State, l.Case, l.Officer, korean(l.From), korean(l.To), l.Answers, l.Groups)
	}
	return nil
}

func (o *officer) approve(ctx context.Context, q listed, yes bool) error {
	fmt.Fprintf(o.stdout, "inquiry   %s\ncase      %s\nasked by  %s at %s\nfacility  %s\nfrom      %s\nto        %s\nreason    %s\n",
		q.Digest(), q.Case, q.Officer, korean(q.At), q.Place.Facility, korean(q.From), korean(q.To), q.Place.Reason)
	if q.State != trace.StateAsked {
		return fmt.Errorf("this inquiry is %s already", q.State)
	}
	raw, err := o.me.Approve(q.Order, q.Place, o.now())
	if err != nil {
		return err
	}
	if !yes {
		fmt.Fprintln(o.stdout, "\nto sign it, run the same with -yes")
		return nil
	}
	if _, err := o.send(ctx, "POST", o.at("/"+q.Digest().String()+"/approval"), raw, nil); err != nil {
		return err
	}
	fmt.Fprintln(o.stdout, "\nsigned: who asked goes on with registry inquiry fetch")
	return nil
}

// fetch carries groups to issuers and answers back. A group whose issuer has no
// address, or does not answer, is written to a file, to be carried by hand.
func (o *officer) fetch(ctx context.Context, q listed) error {
	l, err := o.letters(ctx, q)
	if err != nil {
		return err
	}
	o.printReport(q, l, o.stdout)
	missing := 0
	for n, g := range l.groups {
		name := fmt.Sprintf("%d %s (%d passes)", n+1, g.Issuer, len(l.sheets[n].Seen))
		switch {
		case len(g.Answer) > 0:
			fmt.Fprintf(o.stdout, "%s: answered\n", name)
			continue
		case len(g.Group) == 0:
			fmt.Fprintf(o.stdout, "%s: its time has passed without an answer\n", name)
			missing++
			continue
		}
		err := o.carry(ctx, q, g, l.sheets[n])
		if err == nil {
			fmt.Fprintf(o.stdout, "%s: answered now\n", name)
			continue
		}
		missing++
		path := filepath.Join(o.dir, fmt.Sprintf("%.12s-%d-%s.group", q.Digest(), n+1, filepath.Base(g.Issuer)))
		if err := renameio.WriteFile(path, g.Group, 0o600); err != nil {
			return fmt.Errorf("write a group: %w", err)
		}
		fmt.Fprintf(o.stdout, "%s: %s; written to %s: let the issuer answer it, then registry inquiry deposit\n", name, err, path)
	}
	if missing > 0 {
		return fmt.Errorf("%d of %d groups have no answer yet", missing, len(l.groups))
	}
	return nil
}

func (o *officer) carry(ctx context.Context, q listed, g trace.Letters, s *trace.Sheet) error {
	p, err := o.roster.Issuer(g.Issuer, o.now())
	if err != nil {
		return err
	}
	if p.Address == "" {
		return errors.New("the roster has no address of this issuer")
	}
	answer, err := o.send(ctx, "POST", p.Address, g.Group, nil)
	if err != nil {
		return err
	}
	if _, err := o.roster.OpenAnswer(o.me, answer, s, o.now()); err != nil {
		return fmt.Errorf("its answer is not one: %w", err)
	}
	_, err = o.send(ctx, "POST", o.at("/"+q.Digest().String()+"/answers"), answer, nil)
	return err
}

func (o *officer) deposit(ctx context.Context, q listed, path string) error {
	answer, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if _, _, _, err := o.roster.CheckAnswer(answer, o.now()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	_, err = o.send(ctx, "POST", o.at("/"+q.Digest().String()+"/answers"), answer, nil)
	return err
}

func (o *officer) close(ctx context.Context, q listed) error {
	_, _, err := o.called(ctx, "POST", "/"+q.Digest().String()+"/close")
	return err
}

func (o *officer) printReport(q listed, l *letters, out io.Writer) {
	if since := time.Unix(l.report.Since, 0); q.From.Before(since) {
		fmt.Fprintf(out, "note: visits before %s are destroyed: the registry says nothing of them\n", korean(since))
	}
	if l.report.Lost > 0 {
		fmt.Fprintf(out, "note: %d visits are of issuers that are not on the roster\n", l.report.Lost)
	}
	if len(l.groups) == 0 {
		fmt.Fprintln(out, "nobody was there in this window, as far as is known")
	}
}

// open joins people with times: the one place where both are.
func (o *officer) open(ctx context.Context, q listed, table bool) error {
	l, err := o.letters(ctx, q)
	if err != nil {
		return err
	}
	notes := o.stdout
	if table {
		notes = io.Discard
	}
	o.printReport(q, l, notes)
	out := csv.NewWriter(o.stdout)
	if !table {
		out.Comma = '\t'
	}
	out.Write([]string{"time", "name", "phone", "guardian", "guardian's phone", "issuer", "notes"})
	unnamed, missing := 0, 0
	for n, g := range l.groups {
		if len(g.Answer) == 0 {
			missing += len(l.sheets[n].Seen)
			continue
		}
		people, err := o.roster.OpenAnswer(o.me, g.Answer, l.sheets[n], o.now())
		if err != nil {
			return fmt.Errorf("the answer of %s: %w", g.Issuer, err)
		}
		joined, err := trace.Join(l.sheets[n], people)
		if err != nil {
			return err
		}
		for _, p := range joined {
			if p.Person == nil {
				unnamed++
				continue
			}
			for _, s := range p.Seen {
				out.Write([]string{korean(time.UnixMilli(s.At)), cell(p.Person.Name), cell(p.Person.Phone), cell(p.Person.Guardian), cell(p.Person.GuardianPhone), p.Issuer, flagNotes(s.Flags)})
			}
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return err
	}
	if unnamed > 0 {
		fmt.Fprintf(notes, "\n%d could not be named by their issuer\n", unnamed)
	}
	if missing > 0 {
		return fmt.Errorf("%d passes are not answered for yet: registry inquiry fetch", missing)
	}
	return nil
}

// cell keeps a spreadsheet from taking a name for a formula.
func cell(text string) string {
	if strings.ContainsAny(text[:min(1, len(text))], "=+-@") {
		return "'" + text
	}
	return text
}

func flagNotes(f trace.Flags) string {
	var all []string
	if f&trace.FlagClockUnsure != 0 {
		all = append(all, "clock unsure")
	}
	if f&trace.FlagRelayed != 0 {
		all = append(all, "the same code was shown at another door")
	}
	return strings.Join(all, ", ")
}
