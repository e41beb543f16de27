package pvesim

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// guestExit is how a process in a guest ended, until somebody asks for it.
type guestExit struct {
	code        int
	out, errors string
}

// run runs a command in a guest that is pretended: what Guest.OnExec was given, else a few of the commands that
// every system has. found is false where the guest has no such command.
func (g *guestControl) run(hostname string, command []string, input string) (exit guestExit, found bool) {
	if g.exec != nil {
		out, errors, code, found := g.exec(command, input)
		return guestExit{code, out, errors}, found
	}
	name := command[0]
	if dir := path.Dir(name); strings.Contains(name, "/") && !slices.Contains([]string{"/bin", "/usr/bin", "/sbin", "/usr/sbin"}, dir) {
		return guestExit{}, false
	}
	args := command[1:]
	switch path.Base(name) {
	case "true", "sync", "sleep":
		return guestExit{}, true
	case "false":
		return guestExit{code: 1}, true
	case "echo":
		return guestExit{out: strings.Join(args, " ") + "\n"}, true
	case "hostname":
		return guestExit{out: hostname + "\n"}, true
	case "cat":
		if len(args) == 0 {
			return guestExit{out: input}, true
		}
		text, ok := g.file(hostname, args[0])
		if !ok {
			return guestExit{code: 1, errors: "cat: " + args[0] + ": No such file or directory\n"}, true
		}
		return guestExit{out: text}, true
	case "sh", "bash":
		if len(args) == 2 && args[0] == "-c" {
			return g.script(hostname, args[1], input), true
		}
		return guestExit{}, true
	}
	return guestExit{}, false
}

// script runs simple commands that ";" or "&&" separate, the one redirection ">&2" and "exit".
func (g *guestControl) script(hostname, text, input string) guestExit {
	var all guestExit
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "&&", ";"), ";") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if words[0] == "exit" {
			if len(words) > 1 {
				all.code, _ = strconv.Atoi(words[1])
			}
			return all
		}
		aside := words[len(words)-1] == ">&2"
		if aside {
			words = words[:len(words)-1]
		}
		one, found := g.run(hostname, words, input)
		if !found {
			one = guestExit{code: 127, errors: "sh: 1: " + words[0] + ": not found\n"}
		}
		all.code = one.code
		if aside {
			all.errors += one.out
		} else {
			all.out += one.out
		}
		all.errors += one.errors
	}
	return all
}

// file is the content of a file in the guest.
func (g *guestControl) file(hostname, name string) (string, bool) {
	if text, ok := g.files[name]; ok {
		return text, true
	}
	if name == "/etc/hostname" {
		return hostname + "\n", true
	}
	return "", false
}
