package tags

import (
	"slices"
	"testing"
)

func TestWords(t *testing.T) {
	for word, want := range map[string][]Tag{
		"prod":     {{Category, "prod"}},
		"env/prod": {{"env", "prod"}, {Category, "env/prod"}},
		"env:prod": {{"env", "prod"}, {Category, "env:prod"}},
		"a/b:c":    {{"a", "b:c"}, {"a/b", "c"}, {Category, "a/b:c"}},
		"/prod":    {{Category, "/prod"}},
		"prod:":    {{Category, "prod:"}},
		"p":        {{Category, "p"}},
		"":         {{Category, ""}},
	} {
		if got := Readings(word); !slices.Equal(got, want) {
			t.Errorf("%q can be %v, want %v", word, got, want)
		}
	}
}

func TestSpell(t *testing.T) {
	has := []Tag{{Category, "prod"}, {"env", "test"}, {"team", "blue"}, {Category, "a:b"}}
	if got, want := Spell(has, []string{"env:test", "red", "prod"}), []string{"env:test", "prod", "team:blue", "virtrigaud:a:b"}; !slices.Equal(got, want) {
		t.Errorf("told are %q, want %q", got, want)
	}
	if got := Spell(nil, []string{"prod"}); got == nil || len(got) != 0 {
		t.Errorf("of none told are %#v, want none, and known", got)
	}
	// What is told means what it was told of.
	for _, tag := range append(has, Tag{"x/y", "z"}) {
		if !slices.Contains(Readings(tag.String()), tag) {
			t.Errorf("%q does not mean %v", tag.String(), tag)
		}
	}
	if got, want := Unusual([]string{"prod", "env/test", "b:c", "/d", "b:c"}), []string{"/d", "env/test"}; !slices.Equal(got, want) {
		t.Errorf("to be remembered are %q, want %q", got, want)
	}
}
