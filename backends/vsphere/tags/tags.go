// Package tags makes the portable tags of VMs, which are words, from vCenter's, which are names in categories.
//
// A word such as "prod" is the tag of that name in the category Category. "env/prod" and "env:prod" are the tag
// "prod" of the category "env". What is asked for and does not exist is made, its category too.
package tags

import (
	"slices"
	"strings"
)

// Category is that of words that name none.
const Category = "virtrigaud"

// Tag is one of vCenter's tags by its names.
type Tag struct{ Category, Name string }

// separators stand between a category and a name.
const separators = "/:"

// String is how a tag is told that nobody asked for in other words.
func (t Tag) String() string {
	if t.Category == Category && !strings.ContainsAny(t.Name, separators) {
		return t.Name
	}
	return t.Category + ":" + t.Name // what the schema takes as a tag
}

// Readings are the tags that a word can mean, since both names may have separators in them. The first is that which is made where there is none.
func Readings(word string) []Tag {
	var all []Tag
	for i := 1; i < len(word)-1; i++ {
		if strings.IndexByte(separators, word[i]) >= 0 {
			all = append(all, Tag{word[:i], word[i+1:]})
		}
	}
	return append(all, Tag{Category, word})
}

// Spell tells tags in the words in which they were asked for, or in their own. The result is sorted.
func Spell(all []Tag, asked []string) []string {
	words := []string{}
	for _, t := range all {
		said := false
		for _, word := range asked {
			if slices.Contains(Readings(word), t) {
				words, said = append(words, word), true
			}
		}
		if !said {
			words = append(words, t.String())
		}
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// Unusual returns, sorted, those of words that Spell would tell otherwise if nobody had asked for them.
func Unusual(words []string) []string {
	var out []string
	for _, w := range words {
		if Readings(w)[0].String() != w {
			out = append(out, w)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
