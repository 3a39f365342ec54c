package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/munjigi/munjigi/issuer/testca"
)

const testcaUsage = `issuer testca is an authority for trying certificates out; it asks nobody who they are.

  issuer testca init FOLDER       make one; a brand's [certificate] names FOLDER/ca.pem and FOLDER/ca.crl
  issuer testca issue -name NAME -birth YYYY-MM-DD -pin PASSWORD FOLDER
                                  make a certificate: FOLDER/NAME/signCert.der and signPri.key
  issuer testca revoke FOLDER CERTIFICATE
                                  put a certificate's file on the list of revoked ones
`

func testCA(args []string, now time.Time, stderr io.Writer) error {
	flags := flag.NewFlagSet("issuer testca", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	name, birth, pin := flags.String("name", "", ""), flags.String("birth", "", ""), flags.String("pin", "", "")
	usage := func() error {
		fmt.Fprint(stderr, testcaUsage)
		return errUsage
	}
	if len(args) == 0 || flags.Parse(args[1:]) != nil {
		return usage()
	}
	rest := flags.Args()
	switch {
	case args[0] == "init" && len(rest) == 1:
		if _, err := testca.Create(rest[0], now); err != nil {
			return err
		}
		fmt.Fprintf(stderr, "made an authority that anybody can have a certificate of: never name it where real visitors come\nnext: in a brand's file, [certificate] ca = %q, crl = %q\n",
			filepath.Join(rest[0], testca.CertificateFile), filepath.Join(rest[0], testca.ListFile))
		return nil
	case args[0] == "issue" && len(rest) == 1 && *name != "" && *birth != "" && *pin != "":
		return issueCertificate(rest[0], *name, *birth, *pin, now, stderr)
	case args[0] == "revoke" && len(rest) == 2:
		ca, err := testca.Open(rest[0])
		if err != nil {
			return err
		}
		der, err := os.ReadFile(rest[1])
		if err != nil {
			return fmt.Errorf("revoke a certificate: %w", err)
		}
		return ca.Revoke(now, der)
	}
	return usage()
}

func issueCertificate(dir, name, birth, pin string, now time.Time, stderr io.Writer) error {
	if strings.ContainsAny(name, `/\`) || strings.HasPrefix(name, ".") {
		return errors.New("the name becomes a folder: it holds no slash and begins with no period")
	}
	ca, err := testca.Open(dir)
	if err != nil {
		return err
	}
	cert, key, err := ca.Issue(now, name, birth, pin)
	if err != nil {
		return err
	}
	to := filepath.Join(dir, name)
	if err := os.MkdirAll(to, 0o700); err != nil {
		return fmt.Errorf("write the certificate: %w", err)
	}
	for file, data := range map[string][]byte{testca.PersonFile: cert, testca.PersonKeyFile: key} {
		if err := renameio.WriteFile(filepath.Join(to, file), data, 0o600); err != nil {
			return fmt.Errorf("write the certificate: %w", err)
		}
	}
	fmt.Fprintf(stderr, "made %s and %s in %s\n", testca.PersonFile, testca.PersonKeyFile, to)
	return nil
}
