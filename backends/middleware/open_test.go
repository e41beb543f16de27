package middleware

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

func TestOpen(t *testing.T) {
	busy := backends.Errorf(backends.Transient, "", "", "503")
	wrong := backends.Errorf(backends.Auth, "", "", "wrong password")
	for _, tc := range []struct {
		name    string
		answers []error // the last one is repeated
		tries   int     // 0: more than one
		code    backends.Code
	}{
		{"at once", []error{nil}, 1, ""},
		{"after a hiccup", []error{busy, busy, nil}, 3, ""},
		{"a wrong password is tried once", []error{wrong}, 1, backends.Auth},
		{"a wrong password after a hiccup too", []error{busy, wrong}, 2, backends.Auth},
		{"nobody there", []error{busy}, 0, backends.Transient},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				_, err := Open(t.Context(), func(context.Context) (backends.Backend, error) {
					answer := tc.answers[min(tries, len(tc.answers)-1)]
					tries++
					return nil, answer
				})
				if backends.CodeOf(err) != tc.code || tc.tries != 0 && tries != tc.tries || tc.tries == 0 && tries < 2 {
					t.Errorf("%d tries ended with %v", tries, err)
				}
			})
		})
	}
}

func TestOpenCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := Open(ctx, func(context.Context) (backends.Backend, error) {
			cancel()
			return nil, backends.Errorf(backends.Transient, "", "", "503")
		})
		if backends.CodeOf(err) != backends.Transient {
			t.Errorf("the cause is hidden: %v", err)
		}
	})
}
