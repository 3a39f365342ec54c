package owner

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

// A browser that has logged in keeps a cookie by which its guesses are counted
// apart (the OWASP's device cookies): whoever else is in the network cannot make
// the owner wait. It opens nothing, and needs nothing kept here: it is a name
// and its HMAC under the password's hash, so that a new password ends it, too.
const deviceCookie = "__Host-munjigi-device"

// deviceLife is the longest that browsers keep a cookie (RFC 6265bis, section
// 5.5).
const deviceLife = 400 * 24 * time.Hour

// remember makes a browser known; one that is stays the one it is.
func (k kept) remember(w http.ResponseWriter, r *http.Request) {
	name := k.device(r)
	if name == "" {
		name = base64.RawURLEncoding.EncodeToString(randomBytes(16))
	}
	http.SetCookie(w, &http.Cookie{
		Name: deviceCookie, Value: name + "." + k.sign(name), Path: "/", MaxAge: int(deviceLife / time.Second),
		HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode,
	})
}

// device is the name of a browser that has logged in with this password before,
// else empty.
func (k kept) device(r *http.Request) string {
	c, err := r.Cookie(deviceCookie)
	if err != nil || k.hash == "" {
		return ""
	}
	name, sign, _ := strings.Cut(c.Value, ".")
	if !hmac.Equal([]byte(sign), []byte(k.sign(name))) {
		return ""
	}
	return name
}

func (k kept) sign(name string) string {
	h := hmac.New(sha256.New, []byte(k.hash))
	h.Write([]byte("munjigi device " + name))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// guesser is whom a request's try is counted for.
func (k kept) guesser(r *http.Request) guesser {
	if name := k.device(r); name != "" {
		return guesser{device: name}
	}
	return guesser{address: origin(r.RemoteAddr, ownPrefixes)}
}
