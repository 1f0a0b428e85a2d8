//! `x_ventipay_event`: every webhook and what became of it. A projection of the log: it can be
//! deleted and written again.

use super::{
    ACCOUNT, AMOUNT, COMPANY, CURRENCY, Field, Kind, Model, REVISION, Words, field, identity, words,
};

pub(super) const MODEL: Model = Model {
    name: "x_ventipay_event",
    label: words("Ventipay event", "Evento de Ventipay"),
    menu: words("Events", "Eventos"),
    chatter: false,
    context: "{}",
    fields: FIELDS,
    list: LIST,
    form: FORM,
    search: SEARCH,
    words: WORDS,
};

const STATUS: Kind = Kind::Choice(&[
    ("received", words("Received", "Recibido")),
    ("reconciled", words("Reconciled", "Conciliado")),
    ("pending", words("Pending", "Pendiente")),
    ("parked", words("Parked", "Detenido")),
    ("ignored", words("Ignored", "Ignorado")),
    ("recorded", words("Recorded", "Registrado")),
]);

const MODE: Kind = Kind::Choice(&[
    ("A", words("Odoo's transaction", "Transacción de Odoo")),
    ("B", words("Shop's order", "Pedido de la tienda")),
]);

const FIELDS: &[Field] = &[
    identity("Event", "Evento"),
    ACCOUNT,
    COMPANY,
    REVISION,
    field("x_type", "Type", "Tipo", Kind::Char),
    field("x_status", "Status", "Estado", STATUS),
    field("x_mode", "Mode", "Modo", MODE),
    field("x_result", "Result", "Resultado", Kind::Text),
    field("x_reason", "Reason", "Motivo", Kind::Char),
    field("x_live", "Live", "Producción", Kind::Boolean),
    field("x_received_at", "Received on", "Recibido el", Kind::Datetime),
    field("x_checkout_id", "Checkout", "Cobro", Kind::One("x_ventipay_checkout")),
    CURRENCY,
    AMOUNT,
    field("x_console_url", "Console", "Consola", Kind::Char),
    field("x_payload", "Payload", "Contenido", Kind::Text),
];

const LIST: &str = r#"
<{list} create="0" edit="0" delete="0" default_order="x_received_at desc, id desc" decoration-danger="x_status == 'parked'" decoration-warning="x_status == 'pending'" decoration-muted="x_status in ('recorded', 'ignored')">
  <field name="x_received_at"/>
  <field name="x_type"/>
  <field name="x_status" widget="badge" decoration-success="x_status == 'reconciled'" decoration-warning="x_status == 'pending'" decoration-danger="x_status == 'parked'"/>
  <field name="x_mode" optional="show"/>
  <field name="x_amount"/>
  <field name="x_currency_id" column_invisible="1"/>
  <field name="x_result"/>
  <field name="x_checkout_id" optional="show"/>
  <field name="x_reason" optional="hide"/>
  <field name="x_name" optional="hide"/>
  <field name="x_account" optional="hide"/>
  <field name="x_live" optional="hide"/>
  <field name="x_company_id" groups="base.group_multi_company" optional="hide"/>
</{list}>
"#;

const FORM: &str = r#"
<form create="0" edit="0" delete="0">
  <header><field name="x_status" widget="statusbar" statusbar_visible="received,pending,parked,reconciled"/></header>
  <sheet>
    <div class="oe_title"><h1><field name="x_type" readonly="1"/></h1></div>
    <field name="x_result" readonly="1" nolabel="1"/>
    <group>
      <group>
        <field name="x_amount" readonly="1"/>
        <field name="x_currency_id" invisible="1"/>
        <field name="x_checkout_id" readonly="1"/>
        <field name="x_mode" readonly="1"/>
        <field name="x_reason" readonly="1" invisible="not x_reason"/>
        <field name="x_console_url" widget="url" readonly="1" invisible="not x_console_url"/>
      </group>
      <group>
        <field name="x_name" readonly="1"/>
        <field name="x_received_at" readonly="1"/>
        <field name="x_account" readonly="1"/>
        <field name="x_live" readonly="1"/>
        <field name="x_company_id" readonly="1" groups="base.group_multi_company"/>
      </group>
    </group>
    <group string="What Ventipay sent" invisible="not x_payload">
      <field name="x_payload" readonly="1" nolabel="1" colspan="2"/>
    </group>
  </sheet>
</form>
"#;

const SEARCH: &str = r#"
<search>
  <field name="x_name" string="Event or checkout" filter_domain="['|', ('x_name', 'ilike', self), ('x_checkout_id.x_name', 'ilike', self)]"/>
  <field name="x_type"/>
  <field name="x_checkout_id"/>
  <field name="x_result"/>
  <filter name="attention" string="Parked" domain="[('x_status', '=', 'parked')]"/>
  <filter name="pending" string="Pending" domain="[('x_status', '=', 'pending')]"/>
  <filter name="reconciled" string="Reconciled" domain="[('x_status', '=', 'reconciled')]"/>
  <separator/>
  <filter name="today" string="Today" domain="[('x_received_at', '&gt;=', {today})]"/>
  <filter name="received" string="Received on" date="x_received_at"/>
  <separator/>
  <filter name="test" string="Test events" domain="[('x_live', '=', False)]"/>
  <group>
    <filter name="by_status" string="Status" context="{'group_by': 'x_status'}"/>
    <filter name="by_type" string="Type" context="{'group_by': 'x_type'}"/>
    <filter name="by_account" string="Account" context="{'group_by': 'x_account'}"/>
    <filter name="by_day" string="Day" context="{'group_by': 'x_received_at:day'}"/>
  </group>
</search>
"#;

const WORDS: &[Words] = &[
    words("What Ventipay sent", "Lo que envió Ventipay"),
    words("Event or checkout", "Evento o cobro"),
    words("Parked", "Detenidos"),
    words("Pending", "Pendientes"),
    words("Reconciled", "Conciliados"),
    words("Today", "Hoy"),
    words("Received on", "Recibido el"),
    words("Test events", "Eventos de prueba"),
    words("Status", "Estado"),
    words("Type", "Tipo"),
    words("Account", "Cuenta"),
    words("Day", "Día"),
];
