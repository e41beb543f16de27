package pve

import (
	"testing"
)

func TestOpenByToken(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	if v := c.Version(); v.Major != 8 || v.Minor != 4 || v.Patch != 21 || !v.AtLeast(8, 4) || v.AtLeast(9, 0) {
		t.Errorf("%+v", v)
	}
	if c.User() != "root@pam!tf" {
		t.Error(c.User())
	}
	for _, r := range f.got("GET /version") {
		if r.header.Get("Authorization") != "PVEAPIToken="+testToken {
			t.Error(r.header)
		}
	}
	if n := f.count("GET /version"); n != 1 {
		t.Errorf("%d requests", n)
	}
}
