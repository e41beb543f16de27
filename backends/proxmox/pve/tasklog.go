package pve

import (
	"context"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// slow are the kinds of task whose log says how far they are.
var slow = map[string]bool{
	"qmcreate": true, "qmclone": true, "qmmove": true, "qmigrate": true, "qmrestore": true, "qmtemplate": true,
	"imgcopy": true, "download": true, "vzdump": true, "qmconfig": true,
}

// logLook is the interval between looks at a log: nobody needs a percentage of what ends at once.
const logLook = 2 * time.Second

// percentage is what qemu-img ("(12.34/100%)"), QEMU ("(12.34%)"), wget and vzdump say.
var percentage = regexp.MustCompile(`(\d{1,3})(?:\.\d+)?(?:/100)?%`)

// progress reports how far a task is, where somebody wants to know and its log says so.
func (w *watch) progress(ctx context.Context) {
	if !slow[w.o.Kind] || !backends.Reported(ctx) {
		return
	}
	now := w.c.creds.now()
	if w.read.IsZero() {
		w.read = now
		return
	}
	if now.Sub(w.read) < logLook {
		return
	}
	w.read = now
	var lines []logLine
	q := url.Values{"start": {strconv.Itoa(w.lines)}, "limit": {"500"}}
	if err := w.c.Get(ctx, w.path("log"), q, &lines); err != nil || len(lines) == 0 {
		return
	}
	for _, l := range lines {
		w.lines = max(w.lines, int(l.N))
		if all := percentage.FindAllStringSubmatch(string(l.T), -1); all != nil {
			if n, err := strconv.Atoi(all[len(all)-1][1]); err == nil && n <= 100 {
				w.percent = n
			}
		}
	}
	w.report(ctx, min(w.percent, 99))
}
