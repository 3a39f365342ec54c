package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/pass/trace"
	"github.com/munjigi/munjigi/registry/inquiry"
	"github.com/munjigi/munjigi/registry/store"
)

func auditCommands() []command {
	return []command{
		{"audit verify", "[-key KEY]… [-seen LINE:DIGEST]", "check the whole audit log, and two officers' signatures behind every inquiry", auditVerify},
		{"audit show", "[-kind KIND] [-inquiry INQUIRY]", "print its lines, verified", auditShow},
	}
}

// openAudit parses a command's flags and opens the database with the keys that
// may have signed lines.
func openAudit(ctx context.Context, c *call, args []string) (f *file, db *store.DB, keys []ed25519.PublicKey, err error) {
	c.flags.Func("key", "a `key` that may have signed lines, base64; without any: receipt_key and receipt_also", func(text string) error {
		var k configs.PublicKey
		err := k.UnmarshalText([]byte(text))
		keys = append(keys, ed25519.PublicKey(k))
		return err
	})
	if _, err := c.parse(args, 0); err != nil {
		return nil, nil, nil, err
	}
	if f, err = load(*c.path); err != nil {
		return nil, nil, nil, err
	}
	if len(keys) == 0 {
		receipt, err := configs.ReadKey(f.ReceiptKey)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("%w (or give -key)", err)
		}
		keys = append(keys, ed25519.PublicKey(configs.Public(receipt)))
		for _, k := range f.ReceiptAlso {
			keys = append(keys, ed25519.PublicKey(k))
		}
	}
	db, err = f.open(ctx)
	return f, db, keys, err
}

func auditShow(ctx context.Context, c *call, args []string) (err error) {
	kind := c.flags.String("kind", "", "only lines whose kind begins with `KIND`")
	of := c.flags.String("inquiry", "", "only lines of the `inquiry` that begins so")
	_, db, keys, err := openAudit(ctx, c, args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.Verify(ctx, keys, func(e store.Entry) error {
		if strings.HasPrefix(e.Kind, *kind) && (*of == "" || strings.HasPrefix(inquiryOf(e), *of)) {
			fmt.Fprintf(c.stdout, "%d  %s  %s  %s\n", e.Seq, e.At.In(store.Seoul).Format(time.DateTime), e.Kind, e.Body)
		}
		return nil
	})
	return err
}

func auditVerify(ctx context.Context, c *call, args []string) (err error) {
	seen := c.flags.String("seen", "", "the end of an earlier verification, `LINE:DIGEST`, which must still be there")
	f, db, keys, err := openAudit(ctx, c, args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	roster, err := auditRoster(f)
	if err != nil {
		return err
	}
	return verifyAudit(ctx, db, keys, roster, *seen, c.stdout)
}

func inquiryOf(e store.Entry) string {
	var l inquiry.Line
	if !strings.HasPrefix(e.Kind, "inquiry-") || json.Unmarshal(e.Body, &l) != nil {
		return ""
	}
	return l.Inquiry
}

// auditRoster is the roster officers' signatures are held against, nil where
// this registry has no authority.
func auditRoster(f *file) (*trace.Roster, error) {
	if len(f.Authority) == 0 {
		return nil, nil
	}
	raw, err := os.ReadFile(f.Roster)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the roster: %w", err)
	}
	return trace.OpenRoster(raw, ed25519.PublicKey(f.Authority))
}

func verifyAudit(ctx context.Context, db *store.DB, keys []ed25519.PublicKey, roster *trace.Roster, seen string, stdout io.Writer) error {
	a := inquiryAudit{roster: roster, open: map[string]*[2][]byte{}}
	head, err := db.Verify(ctx, keys, a.line)
	if err != nil {
		return err
	}
	if err := stillThere(ctx, db, seen); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%d lines, all signed, none missing, none changed\n", head.Seq)
	if roster != nil {
		fmt.Fprintf(stdout, "%d inquiries were grouped, each signed by two officers of the roster\n", a.grouped)
	} else if a.grouped > 0 {
		fmt.Fprintf(stdout, "note: %d inquiries were grouped; without a roster officers' signatures are not checked\n", a.grouped)
	}
	fmt.Fprintf(stdout, "the log ends at %d:%s\nnote this down: the next verification is given -seen with it, so that lines taken off the end are missed\n", head.Seq, hex.EncodeToString(head.Digest[:]))
	return nil
}

// inquiryAudit checks that no inquiry opened pass ids without two officers.
type inquiryAudit struct {
	roster  *trace.Roster
	open    map[string]*[2][]byte // signed order and approval, by inquiry
	grouped int
}

func (a *inquiryAudit) line(e store.Entry) error {
	switch e.Kind {
	case inquiry.KindAsked, inquiry.KindApproved, inquiry.KindGrouped:
	default:
		return nil
	}
	var l inquiry.Line
	if err := json.Unmarshal(e.Body, &l); err != nil {
		return fmt.Errorf("line %d of the audit log: %w", e.Seq, err)
	}
	if e.Kind == inquiry.KindAsked {
		a.open[l.Inquiry] = &[2][]byte{l.Signed}
		return nil
	}
	signed := a.open[l.Inquiry]
	if signed == nil {
		return fmt.Errorf("line %d of the audit log: inquiry %.12s was never asked", e.Seq, l.Inquiry)
	}
	if e.Kind == inquiry.KindApproved {
		signed[1] = l.Signed
		return nil
	}
	a.grouped++
	if a.roster == nil {
		return nil
	}
	asked, approved, err := a.roster.Signers(signed[0], signed[1])
	if err != nil {
		return fmt.Errorf("line %d of the audit log: inquiry %.12s opened pass ids without two officers' signatures: %w", e.Seq, l.Inquiry, err)
	}
	if trace.DigestOf(signed[0]).String() != l.Inquiry || asked != l.Officer || approved != l.Approver {
		return fmt.Errorf("line %d of the audit log: inquiry %.12s names other officers than signed it", e.Seq, l.Inquiry)
	}
	return nil
}

// stillThere checks the end of an earlier verification.
func stillThere(ctx context.Context, db *store.DB, seen string) error {
	if seen == "" {
		return nil
	}
	number, digest, _ := strings.Cut(seen, ":")
	seq, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return fmt.Errorf("-seen %q: want LINE:DIGEST, as audit verify printed it", seen)
	}
	var line []byte
	if err := db.SQL().QueryRowContext(ctx, `SELECT line FROM audit WHERE seq = $1`, seq).Scan(&line); err != nil {
		return fmt.Errorf("the audit log breaks at line %d: it was there when -seen was noted, and is not any more", seq)
	}
	if sum := sha256.Sum256(line); hex.EncodeToString(sum[:]) != strings.ToLower(digest) {
		return fmt.Errorf("the audit log breaks at line %d: it is another one than when -seen was noted", seq)
	}
	return nil
}
