package issuer

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/munjigi/munjigi/issuer/store"
)

// withdraw takes all consents back. What no open visit needs is gone the same
// minute; until when the rest stays is told on the next page.
func (c *call) withdraw(in url.Values) error {
	if c.person == nil {
		return nil
	}
	if c.bound() && !c.fresh() {
		return c.toLogin()
	}
	if in.Get("agree") != "withdraw" {
		return refuse(http.StatusUnprocessableEntity, "missing")
	}
	until, err := c.s.Store.Withdraw(c.r.Context(), c.person.ID, c.now)
	if err != nil {
		return err
	}
	*c.visit = visit{}
	if err := c.know(); err != nil {
		return err
	}
	c.then = c.base + "/gone"
	if !until.IsZero() {
		c.then += "?until=" + until.Format(time.DateOnly)
	}
	return c.save(true)
}

// mine is what the page of a person's own data shows: enough to know it is
// theirs, not enough for who looks over a shoulder.
type mine struct {
	Name, Phone   string
	Verified      string
	Until         string // verified until, "" for no end
	Verifications []store.Verification
	Consents      []store.Agreement
	Guardian      string
	Health        *wireHealth
	Passkeys      bool
}

func (c *call) mine() (*mine, error) {
	p := c.person
	if p == nil {
		return nil, nil
	}
	m := &mine{Name: maskName(p.Name), Phone: maskPhone(p.Phone), Verified: day(p.Verified)}
	if c.brand.Reverify > 0 {
		m.Until = day(p.Verified.Add(c.brand.valid()))
	}
	m.Passkeys = p.Passkeys != nil
	if p.Guardian != nil {
		m.Guardian = maskName(p.Guardian.Name)
	}
	var err error
	if m.Verifications, err = c.s.Store.Verifications(c.r.Context(), p.ID); err != nil {
		return nil, err
	}
	for _, t := range c.brand.Consents {
		if a, ok := c.agreed[t.Item]; ok {
			m.Consents = append(m.Consents, a)
		}
	}
	for _, item := range []string{"id_1", "id_2", "id_3", "id_4", "id_5", "guardian", healthItem} {
		if a, ok := c.agreed[item]; ok {
			m.Consents = append(m.Consents, a)
		}
	}
	h, err := c.record(c.r.Context())
	if err != nil {
		return nil, err
	}
	if h != nil {
		w := wire(h)
		m.Health = &w
	}
	return m, nil
}

// maskName leaves the first and the last letter: 홍*동.
func maskName(name string) string {
	r := []rune(name)
	for i := 1; i < max(2, len(r)-1) && i < len(r); i++ {
		r[i] = '*'
	}
	return string(r)
}

// maskPhone leaves first and last digits: 010-****-5678.
func maskPhone(phone string) string {
	if len(phone) < 10 {
		return ""
	}
	return phone[:3] + "-" + strings.Repeat("*", len(phone)-7) + "-" + phone[len(phone)-4:]
}

// korea has had no summer time since 1988, so that no zone database is needed.
var korea = time.FixedZone("KST", 9*60*60)

func day(t time.Time) string    { return t.In(korea).Format("2006. 1. 2.") }
func minute(t time.Time) string { return t.In(korea).Format("2006. 1. 2. 15:04") }
