package issuer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/munjigi/munjigi/issuer/store"
)

// Fingerprint, iris or face open a brand's pages in place of its PIN: passkeys
// (WebAuthn, W3C), where the page is reached by https or on the machine itself.
// What a finger looks like never leaves the phone; the server keeps a public key.

// ceremony is a registration or login under way.
type ceremony struct {
	Login bool                 `json:"login,omitempty"`
	At    time.Time            `json:"at"`
	Data  webauthn.SessionData `json:"data"`
}

const ceremonyLife = 5 * time.Minute

// holder is a person as the library wants one.
type holder struct {
	id   []byte
	name string
	keys []webauthn.Credential
}

func (h *holder) WebAuthnID() []byte                         { return h.id }
func (h *holder) WebAuthnName() string                       { return h.name }
func (h *holder) WebAuthnDisplayName() string                { return h.name }
func (h *holder) WebAuthnCredentials() []webauthn.Credential { return h.keys }

func (c *call) holder() (*holder, error) {
	h := &holder{id: c.person.ID[:], name: maskName(c.person.Name)}
	if c.person.Passkeys != nil {
		if err := json.Unmarshal(c.person.Passkeys, &h.keys); err != nil {
			return nil, fmt.Errorf("read the passkeys: %w", err)
		}
	}
	return h, nil
}

// relying is this server under the name that the browser knows it by: a passkey
// works under that name only, so that a false site can do nothing with it.
func (c *call) relying() (*webauthn.WebAuthn, error) {
	host := c.r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return webauthn.New(&webauthn.Config{RPID: host, RPDisplayName: c.brand.Name, RPOrigins: []string{c.s.origin(c.r)}})
}

var errPasskey = refuse(http.StatusUnprocessableEntity, "err_passkey")

// passkeySteps are POST /v1/b/{brand}/passkey/{step}: each answers JSON for the
// page's script.
var passkeySteps = map[string]func(*call, []byte) (any, error){
	"register": (*call).registerPasskey, "registered": (*call).registeredPasskey,
	"login": (*call).loginPasskey, "done": (*call).donePasskey,
}

func (s *Server) passkey(w http.ResponseWriter, r *http.Request) {
	b, do := s.brands[r.PathValue("brand")], passkeySteps[r.PathValue("step")]
	if b == nil || do == nil {
		problem(w, http.StatusNotFound, "there is no such brand or step here")
		return
	}
	lock := s.locks.of(r, sessionName)
	lock.Lock()
	defer lock.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		problem(w, http.StatusBadRequest, "the body could not be read: send it again")
		return
	}
	c, err := s.open(w, r, b, "")
	if err != nil {
		s.apiBroken(w, err)
		return
	}
	if _, ok := s.addresses.allow(s.address(r), c.now); !ok {
		problem(w, http.StatusTooManyRequests, s.pages.en["slow"])
		return
	}
	v, err := do(c, body)
	var no *refusal
	switch {
	case errors.As(err, &no):
		problem(w, no.status, s.pages.en[no.key])
	case err != nil:
		s.apiBroken(w, err)
	default:
		answer(w, v)
	}
}

// usable says whether this is the bound phone of a verified person, at a brand
// whose pages are locked.
func (c *call) usable() bool {
	return c.brand.PIN && c.verified() && c.person.Device != nil && !c.needsGuardian()
}

func (c *call) registerPasskey([]byte) (any, error) {
	if !c.usable() || c.locked() {
		return nil, errPasskey
	}
	h, err := c.holder()
	if err != nil {
		return nil, err
	}
	rp, err := c.relying()
	if err != nil {
		return nil, errPasskey // an address of numbers has no passkeys
	}
	options, data, err := rp.BeginRegistration(h,
		webauthn.WithAuthenticatorSelection(protocol.AuthenticatorSelection{
			AuthenticatorAttachment: protocol.Platform, UserVerification: protocol.VerificationRequired, ResidentKey: protocol.ResidentKeyRequirementDiscouraged,
		}),
		webauthn.WithConveyancePreference(protocol.PreferNoAttestation),
		webauthn.WithExclusions(webauthn.Credentials(h.keys).CredentialDescriptors()))
	if err != nil {
		return nil, fmt.Errorf("begin to register a passkey: %w", err)
	}
	return options, c.keep(ceremony{At: c.now, Data: *data})
}

func (c *call) registeredPasskey(body []byte) (any, error) {
	k, rp, h, err := c.resume(false)
	if err != nil {
		return nil, err
	}
	if c.locked() {
		return nil, errPasskey
	}
	parsed, err := protocol.ParseCredentialCreationResponseBody(bytes.NewReader(body))
	if err != nil {
		return nil, errPasskey
	}
	credential, err := rp.CreateCredential(h, k.Data, parsed)
	if err != nil {
		return nil, errPasskey
	}
	if err := c.savePasskeys(append(h.keys, *credential)); err != nil {
		return nil, err
	}
	return c.state(), nil
}

func (c *call) loginPasskey([]byte) (any, error) {
	if !c.usable() || c.person.Passkeys == nil {
		return nil, errPasskey
	}
	h, err := c.holder()
	if err != nil {
		return nil, err
	}
	rp, err := c.relying()
	if err != nil {
		return nil, errPasskey
	}
	options, data, err := rp.BeginLogin(h, webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, fmt.Errorf("begin a login by passkey: %w", err)
	}
	return options, c.keep(ceremony{Login: true, At: c.now, Data: *data})
}

func (c *call) donePasskey(body []byte) (any, error) {
	k, rp, h, err := c.resume(true)
	if err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBody(bytes.NewReader(body))
	if err != nil {
		return nil, errPasskey
	}
	credential, err := rp.ValidateLogin(h, k.Data, parsed)
	if err != nil || credential.Authenticator.CloneWarning {
		return nil, errPasskey
	}
	for i := range h.keys { // its counter has moved on
		if bytes.Equal(h.keys[i].ID, credential.ID) {
			h.keys[i] = *credential
		}
	}
	if err := c.savePasskeys(h.keys); err != nil {
		return nil, err
	}
	c.visit.Opened = c.now
	return c.state(), c.save(true)
}

func (c *call) keep(k ceremony) error {
	raw, err := json.Marshal(k)
	if err != nil {
		return err
	}
	c.visit.Passkey = raw
	return c.save(false)
}

// resume takes up a ceremony, which is good for one answer.
func (c *call) resume(login bool) (k ceremony, rp *webauthn.WebAuthn, h *holder, err error) {
	if !c.usable() || c.visit.Passkey == nil {
		return k, nil, nil, errPasskey
	}
	if err := json.Unmarshal(c.visit.Passkey, &k); err != nil {
		return k, nil, nil, err
	}
	c.visit.Passkey = nil
	if err := c.save(false); err != nil {
		return k, nil, nil, err
	}
	if k.Login != login || c.now.Sub(k.At) >= ceremonyLife {
		return k, nil, nil, errPasskey
	}
	if rp, err = c.relying(); err != nil {
		return k, nil, nil, errPasskey
	}
	h, err = c.holder()
	return k, rp, h, err
}

func (c *call) savePasskeys(keys []webauthn.Credential) error {
	raw, err := json.Marshal(keys)
	if err != nil {
		return err
	}
	return c.s.Store.Edit(c.r.Context(), c.person.ID, func(m *store.More) error { m.Passkeys = raw; return nil })
}

// removePasskeys leaves the PIN alone to open the pages.
func (c *call) removePasskeys(url.Values) error {
	if !c.usable() || c.locked() {
		return nil
	}
	c.then = c.base + "/me"
	return c.s.Store.Edit(c.r.Context(), c.person.ID, func(m *store.More) error { m.Passkeys = nil; return nil })
}
