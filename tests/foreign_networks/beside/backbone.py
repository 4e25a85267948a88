custom_imports = dict(imports=['beside_net'], allow_failed_imports=False)
backbone = dict(type='BesideNet', widths='widths.txt')
