//! `x_ventipay_subscription`: a customer's subscription, its period and its invoices.

use super::{
    ACCOUNT, AMOUNT, COMPANY, CURRENCY, Field, Kind, Model, PARTNER, REVISION, Words, field,
    identity, words,
};

pub(super) const MODEL: Model = Model {
    name: "x_ventipay_subscription",
    label: words("Ventipay subscription", "Suscripción de Ventipay"),
    menu: words("Subscriptions", "Suscripciones"),
    chatter: true,
    context: "{}",
    fields: FIELDS,
    list: LIST,
    form: FORM,
    search: SEARCH,
    words: WORDS,
};

const STATE: Kind = Kind::Choice(&[
    ("incomplete", words("Incomplete", "Incompleta")),
    ("trialing", words("On trial", "En prueba")),
    ("active", words("Active", "Activa")),
    ("past_due", words("Past due", "Atrasada")),
    ("suspended", words("Suspended", "Suspendida")),
    ("unpaid", words("Unpaid", "Impaga")),
    ("canceled", words("Canceled", "Cancelada")),
]);

const FIELDS: &[Field] = &[
    identity("Subscription", "Suscripción"),
    ACCOUNT,
    COMPANY,
    REVISION,
    field("x_state", "State", "Estado", STATE),
    PARTNER,
    CURRENCY,
    AMOUNT,
    field("x_period_start", "Period from", "Período desde", Kind::Datetime),
    field("x_period_end", "Period to", "Período hasta", Kind::Datetime),
    field("x_renewals", "Renewals", "Renovaciones", Kind::Integer),
    field("x_reason", "Reason", "Motivo", Kind::Char),
    field("x_invoice_ids", "Invoices", "Facturas", Kind::Many("account.move")),
];

const LIST: &str = r#"
<{list} create="0" edit="0" delete="0" default_order="id desc" decoration-danger="x_state in ('past_due', 'unpaid')" decoration-warning="x_state == 'suspended'" decoration-muted="x_state == 'canceled'">
  <field name="x_name"/>
  <field name="x_partner_id"/>
  <field name="x_state" widget="badge" decoration-success="x_state == 'active'" decoration-info="x_state == 'trialing'" decoration-warning="x_state == 'suspended'" decoration-danger="x_state in ('past_due', 'unpaid')"/>
  <field name="x_amount"/>
  <field name="x_currency_id" column_invisible="1"/>
  <field name="x_period_end"/>
  <field name="x_renewals" optional="show"/>
  <field name="x_reason" optional="hide"/>
  <field name="activity_ids" widget="list_activity" optional="show"/>
  <field name="x_account" optional="hide"/>
  <field name="x_company_id" groups="base.group_multi_company" optional="hide"/>
</{list}>
"#;

const FORM: &str = r#"
<form create="0" edit="0" delete="0">
  <header><field name="x_state" widget="statusbar" statusbar_visible="trialing,active,past_due,canceled"/></header>
  <sheet>
    <div class="oe_title"><h1><field name="x_name" readonly="1"/></h1></div>
    <group>
      <group>
        <field name="x_partner_id" readonly="1"/>
        <field name="x_amount" readonly="1"/>
        <field name="x_currency_id" invisible="1"/>
        <field name="x_reason" readonly="1" invisible="not x_reason"/>
      </group>
      <group>
        <field name="x_period_start" readonly="1"/>
        <field name="x_period_end" readonly="1"/>
        <field name="x_renewals" readonly="1"/>
        <field name="x_account" readonly="1"/>
        <field name="x_company_id" readonly="1" groups="base.group_multi_company"/>
      </group>
    </group>
    <field name="x_invoice_ids" readonly="1">
      <{list} create="0" edit="0" delete="0">
        <field name="name"/>
        <field name="invoice_date"/>
        <field name="amount_total_signed"/>
        <field name="company_currency_id" column_invisible="1"/>
        <field name="payment_state" widget="badge"/>
      </{list}>
    </field>
  </sheet>
  {chatter}
</form>
"#;

const SEARCH: &str = r#"
<search>
  <field name="x_name"/>
  <field name="x_partner_id"/>
  <field name="x_invoice_ids"/>
  <filter name="running" string="Running" domain="[('x_state', 'in', ('trialing', 'active'))]"/>
  <filter name="trouble" string="Payment trouble" domain="[('x_state', 'in', ('past_due', 'suspended', 'unpaid'))]"/>
  <filter name="canceled" string="Canceled" domain="[('x_state', '=', 'canceled')]"/>
  <separator/>
  <filter name="mine" string="My activities" domain="[('activity_ids.user_id', '=', uid)]"/>
  <group>
    <filter name="by_state" string="State" context="{'group_by': 'x_state'}"/>
    <filter name="by_customer" string="Customer" context="{'group_by': 'x_partner_id'}"/>
    <filter name="by_account" string="Account" context="{'group_by': 'x_account'}"/>
  </group>
</search>
"#;

const WORDS: &[Words] = &[
    words("Running", "Vigentes"),
    words("Payment trouble", "Con problemas de pago"),
    words("Canceled", "Canceladas"),
    words("My activities", "Mis actividades"),
    words("State", "Estado"),
    words("Customer", "Cliente"),
    words("Account", "Cuenta"),
];
