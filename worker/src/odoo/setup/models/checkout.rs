//! `x_ventipay_checkout`: one payment as Ventipay and Odoo have it, with its links.

use super::{
    ACCOUNT, AMOUNT, COMPANY, CURRENCY, Field, Kind, Model, PARTNER, REVISION, Words, field,
    identity, words,
};

pub(super) const MODEL: Model = Model {
    name: "x_ventipay_checkout",
    label: words("Ventipay checkout", "Cobro de Ventipay"),
    menu: words("Checkouts", "Cobros"),
    chatter: true,
    context: "{}",
    fields: FIELDS,
    list: LIST,
    form: FORM,
    search: SEARCH,
    words: WORDS,
};

const STATUS: Kind = Kind::Choice(&[
    ("unpaid", words("Unpaid", "Sin pagar")),
    ("paid", words("Paid", "Pagado")),
    ("partially_refunded", words("Partially refunded", "Reembolsado en parte")),
    ("refunded", words("Refunded", "Reembolsado")),
    ("canceled", words("Canceled", "Cancelado")),
]);

const FIELDS: &[Field] = &[
    identity("Checkout", "Cobro"),
    ACCOUNT,
    COMPANY,
    REVISION,
    field("x_status", "Status", "Estado", STATUS),
    field("x_disputed", "Disputed", "En disputa", Kind::Boolean),
    CURRENCY,
    AMOUNT,
    field("x_refunded_amount", "Refunded", "Reembolsado", Kind::Money),
    field("x_booked_amount", "Booked", "Contabilizado", Kind::Money),
    field("x_paid_at", "Paid on", "Pagado el", Kind::Datetime),
    field("x_transaction_id", "Transaction", "Transacción", Kind::One("payment.transaction")),
    field("x_payment_id", "Payment", "Pago", Kind::One("account.payment")),
    field("x_order_id", "Order", "Pedido", Kind::One("sale.order")),
    field("x_invoice_id", "Invoice", "Factura", Kind::One("account.move")),
    PARTNER,
];

const LIST: &str = r#"
<{list} create="0" edit="0" delete="0" default_order="x_paid_at desc, id desc" decoration-danger="x_disputed" decoration-muted="x_status == 'canceled'">
  <field name="x_name"/>
  <field name="x_paid_at"/>
  <field name="x_partner_id"/>
  <field name="x_status" widget="badge" decoration-success="x_status == 'paid'" decoration-warning="x_status == 'partially_refunded'"/>
  <field name="x_disputed" optional="hide"/>
  <field name="x_amount"/>
  <field name="x_refunded_amount" optional="show"/>
  <field name="x_booked_amount" optional="show"/>
  <field name="x_currency_id" column_invisible="1"/>
  <field name="x_order_id" optional="show"/>
  <field name="x_invoice_id" optional="show"/>
  <field name="activity_ids" widget="list_activity" optional="show"/>
  <field name="x_account" optional="hide"/>
  <field name="x_company_id" groups="base.group_multi_company" optional="hide"/>
</{list}>
"#;

const FORM: &str = r#"
<form create="0" edit="0" delete="0">
  <header><field name="x_status" widget="statusbar" statusbar_visible="unpaid,paid,refunded"/></header>
  <sheet>
    <div class="oe_button_box" name="button_box">
      <button name="{events}" type="action" class="oe_stat_button" icon="fa-list" string="Events" context="{'search_default_x_checkout_id': id}"/>
    </div>
    <div class="oe_title"><h1><field name="x_name" readonly="1"/></h1></div>
    <group>
      <group>
        <field name="x_partner_id" readonly="1"/>
        <field name="x_amount" readonly="1"/>
        <field name="x_refunded_amount" readonly="1"/>
        <field name="x_booked_amount" readonly="1"/>
        <field name="x_currency_id" invisible="1"/>
        <field name="x_disputed" readonly="1"/>
        <field name="x_paid_at" readonly="1"/>
      </group>
      <group>
        <field name="x_order_id" readonly="1"/>
        <field name="x_invoice_id" readonly="1"/>
        <field name="x_payment_id" readonly="1"/>
        <field name="x_transaction_id" readonly="1"/>
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
  <field name="x_order_id"/>
  <field name="x_invoice_id"/>
  <filter name="paid" string="Paid" domain="[('x_status', '=', 'paid')]"/>
  <filter name="refunds" string="With refunds" domain="[('x_status', 'in', ('partially_refunded', 'refunded'))]"/>
  <filter name="disputed" string="Disputed" domain="[('x_disputed', '=', True)]"/>
  <separator/>
  <filter name="unbooked" string="Paid, not in the books" domain="[('x_status', 'not in', ('unpaid', 'canceled')), ('x_payment_id', '=', False)]"/>
  <separator/>
  <filter name="today" string="Today" domain="[('x_paid_at', '&gt;=', {today})]"/>
  <filter name="paid_on" string="Paid on" date="x_paid_at"/>
  <separator/>
  <filter name="mine" string="My activities" domain="[('activity_ids.user_id', '=', uid)]"/>
  <group>
    <filter name="by_status" string="Status" context="{'group_by': 'x_status'}"/>
    <filter name="by_customer" string="Customer" context="{'group_by': 'x_partner_id'}"/>
    <filter name="by_account" string="Account" context="{'group_by': 'x_account'}"/>
    <filter name="by_month" string="Month" context="{'group_by': 'x_paid_at:month'}"/>
  </group>
</search>
"#;

const WORDS: &[Words] = &[
    words("Events", "Eventos"),
    words("Paid", "Pagados"),
    words("With refunds", "Con reembolsos"),
    words("Disputed", "En disputa"),
    words("Paid, not in the books", "Pagados sin contabilizar"),
    words("Today", "Hoy"),
    words("Paid on", "Pagado el"),
    words("My activities", "Mis actividades"),
    words("Status", "Estado"),
    words("Customer", "Cliente"),
    words("Account", "Cuenta"),
    words("Month", "Mes"),
];
