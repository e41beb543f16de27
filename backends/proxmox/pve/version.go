package pve

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
)

// Version is that of Proxmox VE.
type Version struct {
	Major, Minor, Patch int
	Release             string // "8.4"
	Text                string // "8.4.21", as Proxmox VE writes it
	RepoID              string // of the build
}

// AtLeast reports whether the version is that or a later one.
func (v Version) AtLeast(major, minor int) bool {
	return cmp.Or(cmp.Compare(v.Major, major), cmp.Compare(v.Minor, minor)) >= 0
}

// String is the version as Proxmox VE writes it.
func (v Version) String() string { return v.Text }

type versionAnswer struct {
	Version, Release, RepoID Text
}

var numbers = regexp.MustCompile(`^(\d{1,4})[.-](\d{1,4})(?:[.-](\d{1,6}))?`)

// parseVersion reads "8.4.21", "9.0.0~11" and "7.4-3".
func parseVersion(a versionAnswer) (Version, error) {
	m := numbers.FindStringSubmatch(string(a.Version))
	if m == nil {
		return Version{}, fmt.Errorf("its version is %q", string(a.Version))
	}
	v := Version{Release: string(a.Release), Text: string(a.Version), RepoID: string(a.RepoID)}
	v.Major, _ = strconv.Atoi(m[1])
	v.Minor, _ = strconv.Atoi(m[2])
	v.Patch, _ = strconv.Atoi(m[3])
	return v, nil
}
