package pvesim

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // What authenticators take.
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// codeLimit is how many wrong codes lock a factor.
const codeLimit = 8

// factor is a second factor of a user: codes that change every 30 seconds.
type factor struct {
	id, description string
	secret          []byte
	created         int64
	disabled        bool
	wrong           int
}

// code is the factor's code at a time, as RFC 6238 has it with SHA-1, 30 s and 6 digits.
func (f *factor) code(at time.Time) string {
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(at.Unix()/30))
	mac := hmac.New(sha1.New, f.secret)
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 15
	n := binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff
	return fmt.Sprintf("%06d", n%1000000)
}

// accepts reports whether a code is good now, or was or will be within 30 seconds.
func (f *factor) accepts(code string) bool {
	for _, d := range []time.Duration{-30 * time.Second, 0, 30 * time.Second} {
		if f.code(time.Now().Add(d)) == code {
			return true
		}
	}
	return false
}

// verifyCode checks the answer to a challenge, "totp:123456".
func (u *user) verifyCode(answer string) error {
	code, ok := strings.CutPrefix(answer, "totp:")
	if !ok {
		return die("invalid tfa response")
	}
	for _, f := range u.second {
		if f.disabled || f.wrong >= codeLimit {
			continue
		}
		if f.accepts(code) {
			f.wrong = 0
			return nil
		}
		f.wrong++
	}
	return die("failed 2nd factor")
}

// parseFactor reads the URI that authenticator apps read, "otpauth://totp/...?secret=...".
func parseFactor(uri string) (*factor, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" {
		return nil, die("failed to parse totp uri")
	}
	secret, err := decodeSecret(u.Query().Get("secret"))
	if err != nil || len(secret) == 0 {
		return nil, die("failed to parse totp uri")
	}
	return &factor{secret: secret, created: time.Now().Unix()}, nil
}

func decodeSecret(s string) ([]byte, error) {
	s = strings.ToUpper(strings.TrimRight(strings.ReplaceAll(s, " ", ""), "="))
	return base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(s)
}
