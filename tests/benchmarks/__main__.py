from . import interrupt

interrupt.main()
