//! `x_ventipay_dispute`: a customer's bank wants the money back; there is a deadline.

use super::{
    ACCOUNT, AMOUNT, COMPANY, CURRENCY, Field, Kind, Model, PARTNER, REVISION, Words, field,
    identity, words,
};

pub(super) const MODEL: Model = Model {
    name: "x_ventipay_dispute",
    label: words("Ventipay dispute", "Disputa de Ventipay"),
    menu: words("Disputes", "Disputas"),
    chatter: true,
    context: "{'search_default_open': 1}",
    fields: FIELDS,
    list: LIST,
    form: FORM,
    search: SEARCH,
    words: WORDS,
};

const STATE: Kind = Kind::Choice(&[
    ("needs_response", words("Needs a response", "Requiere respuesta")),
    ("under_review", words("Under review", "En revisión")),
    ("won", words("Won", "Ganada")),
    ("lost", words("Lost", "Perdida")),
    ("charge_refunded", words("Charge refunded", "Cargo reembolsado")),
]);

const FIELDS: &[Field] = &[
    identity("Dispute", "Disputa"),
    ACCOUNT,
    COMPANY,
    REVISION,
    field("x_state", "State", "Estado", STATE),
    CURRENCY,
    AMOUNT,
    field("x_reason", "Reason", "Motivo", Kind::Char),
    field("x_deadline", "Answer by", "Responder antes de", Kind::Datetime),
    field("x_checkout_id", "Checkout", "Cobro", Kind::One("x_ventipay_checkout")),
    field("x_transaction_id", "Transaction", "Transacción", Kind::One("payment.transaction")),
    field("x_invoice_id", "Invoice", "Factura", Kind::One("account.move")),
    PARTNER,
];

const LIST: &str = r#"
<{list} create="0" edit="0" delete="0" default_order="x_deadline, id desc" decoration-danger="x_state == 'needs_response'" decoration-muted="x_state in ('won', 'charge_refunded')">
  <field name="x_name"/>
  <field name="x_deadline" widget="remaining_days"/>
  <field name="x_state" widget="badge" decoration-danger="x_state in ('needs_response', 'lost')" decoration-warning="x_state == 'under_review'" decoration-success="x_state == 'won'"/>
  <field name="x_amount"/>
  <field name="x_currency_id" column_invisible="1"/>
  <field name="x_reason"/>
  <field name="x_partner_id"/>
  <field name="x_invoice_id" optional="show"/>
  <field name="x_checkout_id" optional="hide"/>
  <field name="activity_ids" widget="list_activity" optional="show"/>
  <field name="x_account" optional="hide"/>
  <field name="x_company_id" groups="base.group_multi_company" optional="hide"/>
</{list}>
"#;

const FORM: &str = r#"
<form create="0" edit="0" delete="0">
  <header><field name="x_state" widget="statusbar" statusbar_visible="needs_response,under_review,won"/></header>
  <sheet>
    <div class="oe_title"><h1><field name="x_name" readonly="1"/></h1></div>
    <group>
      <group>
        <field name="x_amount" readonly="1"/>
        <field name="x_currency_id" invisible="1"/>
        <field name="x_reason" readonly="1"/>
        <field name="x_deadline" readonly="1"/>
        <field name="x_partner_id" readonly="1"/>
      </group>
      <group>
        <field name="x_checkout_id" readonly="1"/>
        <field name="x_transaction_id" readonly="1"/>
        <field name="x_invoice_id" readonly="1"/>
        <field name="x_account" readonly="1"/>
        <field name="x_company_id" readonly="1" groups="base.group_multi_company"/>
      </group>
    </group>
  </sheet>
  {chatter}
</form>
"#;

const SEARCH: &str = r#"
<search>
  <field name="x_name"/>
  <field name="x_partner_id"/>
  <field name="x_checkout_id"/>
  <field name="x_invoice_id"/>
  <filter name="open" string="Open" domain="[('x_state', 'in', ('needs_response', 'under_review'))]"/>
  <filter name="to_answer" string="To answer" domain="[('x_state', '=', 'needs_response')]"/>
  <filter name="lost" string="Lost" domain="[('x_state', '=', 'lost')]"/>
  <separator/>
  <filter name="mine" string="My activities" domain="[('activity_ids.user_id', '=', uid)]"/>
  <group>
    <filter name="by_state" string="State" context="{'group_by': 'x_state'}"/>
    <filter name="by_reason" string="Reason" context="{'group_by': 'x_reason'}"/>
    <filter name="by_customer" string="Customer" context="{'group_by': 'x_partner_id'}"/>
    <filter name="by_account" string="Account" context="{'group_by': 'x_account'}"/>
  </group>
</search>
"#;

const WORDS: &[Words] = &[
    words("Open", "Abiertas"),
    words("To answer", "Por responder"),
    words("Lost", "Perdidas"),
    words("My activities", "Mis actividades"),
    words("State", "Estado"),
    words("Reason", "Motivo"),
    words("Customer", "Cliente"),
    words("Account", "Cuenta"),
];
