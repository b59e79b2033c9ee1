from . import interrupt, ledger

interrupt.main()
ledger.main()
