package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"

	"github.com/munjigi/munjigi/cmd/internal/device"
	"github.com/munjigi/munjigi/kiosk/owner"
	"github.com/munjigi/munjigi/uplink/enrol"
)

// ownersPage says where the owner's page is, or with -password makes a new
// password for it. A daemon that runs notices by itself.
func ownersPage(args []string, stdout, stderr io.Writer) error {
	var (
		file  string
		renew bool
	)
	rest, err := flags("owner", args, stderr, func(f *flag.FlagSet) {
		f.StringVar(&file, "config", defaultConfig, "the kiosk's configuration")
		f.BoolVar(&renew, "password", false, "make a new password; whoever is logged in is not any more")
	})
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		fmt.Fprintln(stderr, "kiosk owner: it takes no arguments")
		return errUsage
	}
	cfg, err := device.Load(file)
	if err != nil {
		return err
	}
	i, err := enrol.Load(cfg.Data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("this device is not enrolled, it has no owner's page yet: enrol it first")
	case err != nil:
		return err
	case cfg.Owner.Listen == "":
		return errors.New("there is no owner's page: owner.listen is empty")
	}
	if renew {
		return printPassword(&cfg, i, stdout)
	}
	fmt.Fprintf(stdout, "address      %s\n", cfg.OwnersAddress(owner.SharedName))
	fmt.Fprintf(stdout, "its own      %s\n", cfg.OwnersAddress(owner.OwnName(i.Kiosk)))
	for _, a := range owner.Addresses() {
		fmt.Fprintf(stdout, "             %s\n", cfg.OwnersAddress(a))
	}
	fingerprint, err := owner.Fingerprint(cfg.Data)
	if err != nil {
		return err
	}
	if fingerprint == "" {
		fingerprint = "none yet: it is made when the page is first opened"
	}
	fmt.Fprintf(stdout, "certificate  SHA-256 %s\n", fingerprint)
	has, err := owner.HasPassword(cfg.Data)
	if err != nil {
		return err
	}
	password := "none: make one with kiosk owner -password"
	if has {
		password = "set; a new one is made with kiosk owner -password"
	}
	fmt.Fprintf(stdout, "password     %s\n", password)
	return nil
}

// printPassword makes a password and prints it, which is the only time.
func printPassword(cfg *device.Config, i *enrol.Identity, stdout io.Writer) error {
	password, err := owner.NewPassword(cfg.Data)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "owner's page %s\nits password %s\nGive it to the owner: it is shown this once.\n", cfg.OwnersAddress(owner.SharedName), password)
	if name := owner.OwnName(i.Kiosk); name != "" {
		fmt.Fprintf(stdout, "Where several kiosks share a network, this one is %s\n", cfg.OwnersAddress(name))
	}
	return nil
}

// checkOwner says whether the owner's page can be served and opened.
func checkOwner(cfg *device.Config) finding {
	f := finding{part: "owner", warn: true} // the door works without it
	if cfg.Owner.Listen == "" {
		f.text = "no page, by configuration"
		return f
	}
	i, err := enrol.Load(cfg.Data)
	if err != nil {
		f.text = "the page is served once this device is enrolled"
		return f
	}
	l, err := net.Listen("tcp", cfg.Owner.Listen)
	if err != nil {
		f.err = fmt.Errorf("owner.listen %q: the address is taken, stop the running kiosk or choose another: %w", cfg.Owner.Listen, err)
		return f
	}
	l.Close()
	has, err := owner.HasPassword(cfg.Data)
	_, certificateErr := owner.Fingerprint(cfg.Data)
	switch err := errors.Join(err, certificateErr); {
	case err != nil:
		f.err = err
	case !has:
		f.err = fmt.Errorf("%s listens, and nobody can log in: make a password with kiosk owner -password", cfg.OwnersAddress(owner.OwnName(i.Kiosk)))
	default:
		f.text = cfg.OwnersAddress(owner.OwnName(i.Kiosk)) + ", password set"
	}
	return f
}
