package issuer

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/munjigi/munjigi/issuer/identity"
	"github.com/munjigi/munjigi/issuer/picture"
	"github.com/munjigi/munjigi/issuer/store"
)

// wanted says whether an identity is to be verified now: the visitor's, a
// guardian's, or that of an app's new account.
func (c *call) wanted() bool {
	if c.app != "" {
		return c.visit.Found == nil && (c.visit.Account == nil || c.visit.Flow != nil)
	}
	switch c.next() {
	case stepIdentity:
		return true
	case stepGuardian:
		return c.visit.Flow != nil && c.visit.Flow.Guardian
	}
	return false
}

// begun is the flow under way, a new one where there is none.
func (c *call) begun() *flow {
	if c.visit.Flow == nil {
		c.visit.Flow = &flow{}
	}
	return c.visit.Flow
}

// choose takes the way in which the visitor wants to be verified.
func (c *call) choose(in url.Values) error {
	if !c.wanted() {
		return nil
	}
	if !slices.Contains(c.brand.Methods, in.Get("method")) {
		return refuse(http.StatusUnprocessableEntity, "err_form")
	}
	f := c.begun()
	f.Method, f.Attempt, f.Picture = in.Get("method"), nil, picture.New()
	c.then = c.base + "/identity"
	return c.save(false)
}

// newPicture draws another picture code.
func (c *call) newPicture(url.Values) error {
	if !c.wanted() {
		return nil
	}
	c.begun().Picture = picture.New()
	c.then = c.base + "/identity"
	return c.save(false)
}

func (c *call) beginSMS(in url.Values) error         { return c.begin("sms", in) }
func (c *call) beginPass(in url.Values) error        { return c.begin("pass", in) }
func (c *call) beginOTP(in url.Values) error         { return c.begin("motp", in) }
func (c *call) beginNumber(in url.Values) error      { return c.begin("number", in) }
func (c *call) beginCertificate(in url.Values) error { return c.begin(byCertificate, in) }

// begin starts an attempt. "number" is PASS without a form.
func (c *call) begin(kind string, in url.Values) error {
	method := kind
	if kind == "number" {
		method = "pass"
	}
	if !c.wanted() {
		return nil
	}
	if !slices.Contains(c.brand.Methods, method) {
		return refuse(http.StatusUnprocessableEntity, "err_form")
	}
	f := c.begun()
	f.Method, f.Attempt = method, nil // an attempt of another way is not this one's
	given, err := c.identityAgreed(in)
	if err != nil {
		return err
	}
	if kind == "pass" {
		if err := c.readPicture(f, in.Get("picture")); err != nil {
			return err
		}
	}
	claim := identity.Claim{Name: in.Get("name"), Phone: in.Get("phone"), Carrier: in.Get("carrier")}
	switch kind {
	case "sms", byCertificate:
		claim.Birth, claim.Sex = in.Get("birth"), in.Get("sex")
		// 내국인/외국인 stands in the digit, too: who ticks one and writes the other has slipped.
		if nation := in.Get("nation"); nation != "" && (nation == "foreign") != (claim.Sex >= "5") {
			return refuse(http.StatusUnprocessableEntity, "err_nation")
		}
	case "number":
		claim = identity.Claim{}
	}
	f.Attempt, err = c.s.method(c.brand, method).Begin(c.r.Context(), c.now, c.brand.Name, claim)
	if err != nil {
		f.Attempt = nil
		return failed(err)
	}
	if c.app == "" && !f.Guardian {
		c.note(given)
	}
	c.then = c.base + "/identity"
	return c.save(false)
}

// note adds consents to those that go to the person once they are known.
func (c *call) note(given []store.Agreement) {
	c.visit.Agreed = append(slices.DeleteFunc(c.visit.Agreed, func(a store.Agreement) bool {
		return slices.ContainsFunc(given, func(g store.Agreement) bool { return g.Item == a.Item })
	}), given...)
}

// readPicture checks a picture code, which is good for one try.
func (c *call) readPicture(f *flow, typed string) error {
	want := f.Picture
	f.Picture = picture.New()
	if want != "" && typed == want {
		return nil
	}
	f.Misread++
	if err := c.save(false); err != nil {
		return err
	}
	return refuse(http.StatusUnprocessableEntity, "err_picture")
}

// check ends an attempt with what was typed, or with 「인증 완료」.
func (c *call) check(in url.Values) error {
	f := c.visit.Flow
	if !c.wanted() || f == nil || f.Attempt == nil {
		return nil
	}
	method := c.s.method(c.brand, f.Method)
	if method == nil { // the brand's configuration has changed since
		return c.cancel(in)
	}
	answer := in.Get("code")
	if f.Method == byCertificate {
		answer = in.Get("certificate") + "." + in.Get("signature")
	}
	id, err := method.Check(c.r.Context(), c.now, f.Attempt, answer)
	if errors.Is(err, identity.ErrAway) {
		c.s.Log.Error("an identity is not verified: somebody who must be asked does not answer", "brand", c.brand.ID, "method", f.Method, "error", err)
	}
	if err != nil {
		// An SMS whose time is over can be sent again.
		if identity.Over(err) && !(f.Method == "sms" && errors.Is(err, identity.ErrExpired)) {
			f.Attempt, f.Picture = nil, picture.New()
		}
		if err := c.save(false); err != nil {
			return err
		}
		return failed(err)
	}
	return c.found(id)
}

func (c *call) resend(url.Values) error {
	f := c.visit.Flow
	if !c.wanted() || f == nil || f.Attempt == nil || f.Method != "sms" {
		return nil
	}
	if err := c.s.sms.Resend(c.r.Context(), c.now, f.Attempt); err != nil {
		return failed(err)
	}
	c.then = c.base + "/identity"
	return c.save(false)
}

func (c *call) extend(url.Values) error {
	f := c.visit.Flow
	if !c.wanted() || f == nil || f.Attempt == nil || f.Method != "sms" {
		return nil
	}
	if err := c.s.sms.Extend(c.now, f.Attempt); err != nil {
		return failed(err)
	}
	c.then = c.base + "/identity"
	return c.save(false)
}

// cancel goes back to the choice of the way; a guardian's, to the child's page.
func (c *call) cancel(url.Values) error {
	if f := c.visit.Flow; f != nil {
		if c.visit.Flow = nil; f.Guardian || f.Method == "" {
			c.then = c.base
		} else {
			c.then = c.base + "/identity"
		}
	}
	return c.save(false)
}

// found goes on with a verified identity.
func (c *call) found(id identity.Identity) error {
	f := c.visit.Flow
	switch {
	case c.app != "":
		c.visit.Found, c.visit.Flow = &id, nil
		return c.save(true)
	case f.Guardian:
		return c.guardianFound(id)
	}
	if p := c.person; p != nil && (p.Name != id.Name || p.Phone != id.Phone || p.Birth != id.Birth) {
		f.Attempt = nil
		if err := c.save(false); err != nil {
			return err
		}
		return refuse(http.StatusConflict, "err_other")
	}
	ctx := c.r.Context()
	who, err := c.s.Store.Verify(ctx, store.Person{
		Brand: c.brand.ID, Name: id.Name, Phone: id.Phone, Birth: id.Birth, More: store.More{Carrier: id.Carrier, Foreign: id.Foreign},
	}, f.Method, c.now, c.visit.Agreed)
	if err != nil {
		return err
	}
	c.visit.Person, c.visit.Agreed, c.visit.Flow, c.visit.Bind = &who, nil, nil, true
	// Another phone that was bound before is so no longer.
	if err := c.s.Store.Edit(ctx, who, func(m *store.More) error {
		if m.Device != nil && string(m.Device.Session) != string(c.sess.SID) {
			m.Device = nil
		}
		return nil
	}); err != nil {
		return err
	}
	if err := c.save(true); err != nil {
		return err
	}
	return c.know()
}

// guardian takes a guardian's consent; their verification follows.
func (c *call) guardian(in url.Values) error {
	if c.next() != stepGuardian {
		return nil
	}
	if !slices.Contains(in["agree"], "guardian") {
		return refuse(http.StatusUnprocessableEntity, "missing")
	}
	c.visit.Flow = &flow{Guardian: true}
	c.then = c.base + "/identity"
	return c.save(false)
}

// guardianFound notes that a guardian, an adult with a number of their own,
// has agreed. It is asked once.
func (c *call) guardianFound(id identity.Identity) error {
	c.visit.Flow = nil
	age, err := identity.Age(id.Birth, c.now)
	if err != nil || age < guardianAge || id.Phone == c.person.Phone {
		if err := c.save(false); err != nil {
			return err
		}
		return refuse(http.StatusUnprocessableEntity, "err_guardian")
	}
	ctx := c.r.Context()
	if err := c.s.Store.Edit(ctx, c.person.ID, func(m *store.More) error {
		m.Guardian = &store.Guardian{Name: id.Name, Phone: id.Phone, At: c.now}
		return nil
	}); err != nil {
		return err
	}
	if err := c.s.Store.Agree(ctx, c.person.ID, []store.Agreement{{
		Item: "guardian", Version: identityVersion, Title: c.s.pages.ko["guardian"], Text: c.s.pages.ko["guardian_text"], At: c.now,
	}}); err != nil {
		return err
	}
	if err := c.save(true); err != nil {
		return err
	}
	return c.know()
}
