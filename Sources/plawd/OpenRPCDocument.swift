let openRPCDocument = "{}"
