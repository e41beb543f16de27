package pve

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what TOTP is made of
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"hash"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// period is how long a code of a TOTP secret is valid.
const period = 30 * time.Second

// factor is the second factor of a login.
type factor struct {
	answer string // kind:code, "" where codes are made
	secret []byte
	digits int
	period time.Duration
	hash   func() hash.Hash
	used   uint64 // counter of the last code that was used
}

var code = regexp.MustCompile(`^\d{6,8}$`)

// newFactor reads a code, "kind:code", a TOTP secret in base32 or an otpauth URI.
func newFactor(text string) (*factor, error) {
	text = strings.TrimSpace(text)
	if code.MatchString(text) {
		return &factor{answer: "totp:" + text}, nil
	}
	for _, kind := range []string{"totp:", "recovery:", "yubico:"} {
		if strings.HasPrefix(text, kind) {
			return &factor{answer: text}, nil
		}
	}
	f := &factor{digits: 6, period: period, hash: sha1.New}
	if strings.HasPrefix(text, "otpauth://") {
		u, err := url.Parse(text)
		if err != nil || u.Host != "totp" {
			return nil, badFactor()
		}
		if text, err = f.read(u.Query()); err != nil {
			return nil, err
		}
	}
	text = strings.ToUpper(strings.NewReplacer(" ", "", "-", "", "=", "").Replace(text))
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
	if err != nil || len(secret) == 0 {
		return nil, badFactor()
	}
	f.secret = secret
	return f, nil
}

// read takes the parameters of an otpauth URI and returns the secret.
func (f *factor) read(q url.Values) (string, error) {
	if n, err := strconv.Atoi(q.Get("digits")); err == nil && n >= 6 && n <= 8 {
		f.digits = n
	}
	if n, err := strconv.Atoi(q.Get("period")); err == nil && n > 0 && n <= 300 {
		f.period = time.Duration(n) * time.Second
	}
	switch strings.ToUpper(q.Get("algorithm")) {
	case "", "SHA1":
	case "SHA256":
		f.hash = sha256.New
	case "SHA512":
		f.hash = sha512.New
	default:
		return "", badFactor()
	}
	return q.Get("secret"), nil
}

func badFactor() error {
	return backends.Errorf(backends.Invalid, "", "", "otp is neither a code nor a TOTP secret").
		Advise("Give the secret that Proxmox VE showed when the second factor was added (base32, or the otpauth URI), or a code of six digits.")
}

// at is the code of a counter, as RFC 4226 makes it.
func (f *factor) at(counter uint64) string {
	mac := hmac.New(f.hash, f.secret)
	_ = binary.Write(mac, binary.BigEndian, counter)
	sum := mac.Sum(nil)
	n := binary.BigEndian.Uint32(sum[sum[len(sum)-1]&15:]) & (1<<31 - 1)
	mod := uint32(1)
	for range f.digits {
		mod *= 10
	}
	return fmt.Sprintf("%0*d", f.digits, n%mod)
}

// counter is that of a time.
func (f *factor) counter(t time.Time) uint64 { return uint64(t.Unix()) / uint64(f.period/time.Second) }

// second answers the challenge of a login. Proxmox VE takes a code once only, and another run of Terraform may have used the
// current one: then the next is tried, once.
func (a *credentials) second(ctx context.Context, challenge string) (ticketAnswer, error) {
	f := a.factor
	if f == nil {
		return ticketAnswer{}, backends.Errorf(backends.Auth, "", "", "the account %s has a second factor, and none is given", a.who).
			Advise("Set otp in the provider block's proxmox object (a TOTP secret lasts, a code does not), or use an API token, which needs none.")
	}
	if f.answer != "" {
		t, err := a.challenge(ctx, challenge, f.answer)
		return t, secondRefused(err, "A code is valid once and for half a minute: give a TOTP secret, or use an API token.")
	}
	for try := 1; ; try++ {
		n := f.counter(a.now())
		if n <= f.used {
			next := time.Unix(int64((f.used+1)*uint64(f.period/time.Second)), 0)
			if !sleep(ctx, next.Sub(a.now())+100*time.Millisecond) {
				return ticketAnswer{}, ctx.Err()
			}
			n = max(f.counter(a.now()), f.used+1)
		}
		f.used = n
		t, err := a.challenge(ctx, challenge, "totp:"+f.at(n))
		if err == nil || backends.CodeOf(err) != backends.Auth || try == 2 {
			return t, secondRefused(err, "Check the TOTP secret in otp, and the clock of this machine.")
		}
	}
}

// challenge sends the answer to a challenge.
func (a *credentials) challenge(ctx context.Context, challenge, answer string) (ticketAnswer, error) {
	return a.post(ctx, url.Values{"username": {a.who}, "tfa-challenge": {challenge}, "password": {answer}})
}

// secondRefused says that the second factor was not accepted.
func secondRefused(err error, remedy string) error {
	if err == nil || backends.CodeOf(err) != backends.Auth {
		return err
	}
	return backends.Errorf(backends.Auth, "", "", "Proxmox VE does not accept the second factor").Advise("%s", remedy)
}
