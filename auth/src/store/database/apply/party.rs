//! Administrators, resellers, customers and what is theirs.

use std::collections::HashSet;

use super::Writer;
use crate::domain::access::Realm;
use crate::domain::directory::StoreError;
use crate::domain::id::{IAccount, ICGroup, ICQueue, ICustomer, IIvrApplication, IReseller, IUser};
use crate::domain::party::QueueRules;
use crate::domain::plan::{Account, Admin, Customer, HuntGroup, IvrApplication, Name, Reseller};
use crate::domain::principal::Subject;
use crate::store::database::session::next_id;
use crate::store::engine::{query, query_as, query_scalar};
use crate::store::sql::import as sql;

/// What a number leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Account(i64),
    HuntGroup(i64),
    AccessNumber(i64),
    Allocated,
}

impl Target {
    const fn columns(self) -> (&'static str, Option<i64>) {
        match self {
            Self::Account(key) => ("account", Some(key)),
            Self::HuntGroup(key) => ("hunt_group", Some(key)),
            Self::AccessNumber(key) => ("access_number", Some(key)),
            Self::Allocated => ("allocated", None),
        }
    }
}

impl Writer<'_> {
    pub(super) async fn admin(&mut self, admin: &Admin) -> Result<(), StoreError> {
        let present = self.holder(Realm::Admin, &admin.login.login.text).await?;
        self.count(present.is_some());
        let i_user = match present {
            Some(i_user) => i_user,
            None => next_id(self.connection, IUser::KIND).await?,
        };
        let was_blocked: Option<i64> = query_scalar(sql::USER_BLOCKED)
            .bind(i_user)
            .fetch_optional(&mut *self.connection)
            .await?;
        query(sql::PUT_USER)
            .bind(i_user)
            .bind(i64::from(admin.is_blocked))
            .execute(&mut *self.connection)
            .await?;
        let subject = Subject { realm: Realm::Admin, id: i_user };
        self.login(subject, Some(&admin.login)).await?;
        if admin.is_blocked && was_blocked == Some(0) {
            self.blocked(subject).await?;
        }
        Ok(())
    }

    pub(super) async fn reseller(&mut self, reseller: &Reseller) -> Result<(), StoreError> {
        let present: Option<(i64, i64)> = query_as(sql::RESELLER)
            .bind(&reseller.name.text)
            .fetch_optional(&mut *self.connection)
            .await?;
        self.count(present.is_some());
        let i_reseller = match present {
            Some((i_reseller, _)) => i_reseller,
            None => next_id(self.connection, IReseller::KIND).await?,
        };
        query(sql::PUT_RESELLER)
            .bind(i_reseller)
            .bind(&reseller.name.text)
            .bind(i64::from(reseller.is_blocked))
            .execute(&mut *self.connection)
            .await?;
        let subject = Subject { realm: Realm::Reseller, id: i_reseller };
        self.login(subject, reseller.login.as_ref()).await?;
        if reseller.is_blocked && present.is_some_and(|(_, was_blocked)| was_blocked == 0) {
            self.blocked(subject).await?;
        }
        Ok(())
    }

    pub(super) async fn customer(&mut self, customer: &Customer) -> Result<(), StoreError> {
        let present: Option<(i64, i64)> = query_as(sql::CUSTOMER)
            .bind(&customer.name.text)
            .fetch_optional(&mut *self.connection)
            .await?;
        self.count(present.is_some());
        let i_customer = match present {
            Some((i_customer, _)) => i_customer,
            None => next_id(self.connection, ICustomer::KIND).await?,
        };
        let i_reseller = match &customer.reseller {
            Some(reseller) => self.key(sql::RESELLER, reseller, "reseller").await?,
            None => None,
        };
        query(sql::PUT_CUSTOMER)
            .bind(i_customer)
            .bind(i_reseller)
            .bind(&customer.name.text)
            .bind(&customer.currency)
            .bind(customer.credit.limit.0)
            .bind(customer.credit.opening_balance.0)
            .bind(i64::from(customer.is_blocked))
            .execute(&mut *self.connection)
            .await?;
        let subject = Subject { realm: Realm::Customer, id: i_customer };
        self.login(subject, customer.login.as_ref()).await?;

        for account in &customer.accounts {
            self.account(i_customer, account).await?;
        }
        for group in &customer.hunt_groups {
            self.hunt_group(i_customer, group).await?;
        }
        for application in &customer.ivr_applications {
            self.application(i_customer, application).await?;
        }
        // Last, so that what was freed above and is named here stays allocated.
        for number in &customer.numbers {
            self.number(i_customer, number, Target::Allocated).await?;
        }
        if customer.is_blocked && present.is_some_and(|(_, was_blocked)| was_blocked == 0) {
            self.blocked(subject).await?;
        }
        Ok(())
    }

    async fn account(&mut self, i_customer: i64, account: &Account) -> Result<(), StoreError> {
        let present: Option<(i64, i64, i64)> = query_as(sql::ACCOUNT)
            .bind(&account.id.text)
            .fetch_optional(&mut *self.connection)
            .await?;
        if present.is_some_and(|(_, owner, _)| owner != i_customer) {
            self.foreign(&account.id, "account");
            return Ok(());
        }
        self.count(present.is_some());
        let Some(i_product) = self.key(sql::PRODUCT, &account.product, "product").await? else {
            return Ok(());
        };
        let i_account = match present {
            Some((i_account, ..)) => i_account,
            None => next_id(self.connection, IAccount::KIND).await?,
        };
        query(sql::PUT_ACCOUNT)
            .bind(i_account)
            .bind(i_customer)
            .bind(&account.id.text)
            .bind(&account.name)
            .bind(i_product)
            .bind(account.conferencing.map(i64::from))
            .bind(account.user_application.map(i64::from))
            .bind(account.credit.limit.0)
            .bind(account.credit.opening_balance.0)
            .bind(i64::from(account.is_blocked))
            .bind(account.decision.as_ref().map(|decision| decision.timeout))
            .bind(account.decision.as_ref().map(|decision| &decision.fallback))
            .execute(&mut *self.connection)
            .await?;
        let numbers: Vec<&Name> = account.numbers.iter().chain([&account.id]).collect();
        self.numbers(i_customer, &numbers, Target::Account(i_account)).await?;
        let subject = Subject { realm: Realm::Account, id: i_account };
        self.login(subject, account.login.as_ref()).await?;
        if account.is_blocked && present.is_some_and(|(.., was_blocked)| was_blocked == 0) {
            self.blocked(subject).await?;
        }
        Ok(())
    }

    async fn hunt_group(&mut self, i_customer: i64, group: &HuntGroup) -> Result<(), StoreError> {
        let present: Option<(i64, i64)> = query_as(sql::HUNT_GROUP)
            .bind(&group.id.text)
            .fetch_optional(&mut *self.connection)
            .await?;
        if present.is_some_and(|(_, owner)| owner != i_customer) {
            self.foreign(&group.id, "hunt group");
            return Ok(());
        }
        self.count(present.is_some());
        let i_c_group = match present {
            Some((i_c_group, _)) => i_c_group,
            None => next_id(self.connection, ICGroup::KIND).await?,
        };
        query(sql::PUT_HUNT_GROUP)
            .bind(i_c_group)
            .bind(i_customer)
            .bind(&group.id.text)
            .bind(&group.name)
            .bind(group.decision.as_ref().map(|decision| decision.timeout))
            .bind(group.decision.as_ref().map(|decision| &decision.fallback))
            .execute(&mut *self.connection)
            .await?;
        self.numbers(i_customer, &[&group.id], Target::HuntGroup(i_c_group)).await?;
        self.queue(i_c_group, group.queue.as_deref(), &group.rules).await?;
        self.run(sql::MARK_MEMBERS, i_c_group).await?;
        for (position, member) in (0_i64..).zip(&group.members) {
            let Some(i_account) = self.own_account(i_customer, member).await? else { continue };
            query(sql::PUT_MEMBER)
                .bind(i_c_group)
                .bind(i_account)
                .bind(position)
                .bind(i64::from(!group.inactive.iter().any(|away| away.text == member.text)))
                .execute(&mut *self.connection)
                .await?;
        }
        self.run(sql::DROP_MARKED_MEMBERS, i_c_group).await
    }

    async fn queue(
        &mut self,
        i_c_group: i64,
        name: Option<&str>,
        rules: &QueueRules,
    ) -> Result<(), StoreError> {
        let Some(name) = name else { return self.run(sql::DROP_QUEUE, i_c_group).await };
        let present: Option<i64> =
            query_scalar(sql::QUEUE).bind(i_c_group).fetch_optional(&mut *self.connection).await?;
        let i_c_queue = match present {
            Some(i_c_queue) => i_c_queue,
            None => next_id(self.connection, ICQueue::KIND).await?,
        };
        query(sql::PUT_QUEUE)
            .bind(i_c_queue)
            .bind(i_c_group)
            .bind(name)
            .bind(i64::from(rules.ring_all))
            .bind(rules.agent_timeout)
            .bind(rules.max_waiting)
            .bind(rules.max_wait)
            .bind(&rules.overflow)
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    async fn application(
        &mut self,
        i_customer: i64,
        application: &IvrApplication,
    ) -> Result<(), StoreError> {
        let Some(i_account) = self.own_account(i_customer, &application.account).await? else {
            return Ok(());
        };
        let present: Option<i64> = query_scalar(sql::APPLICATION)
            .bind(i_customer)
            .bind(&application.name.text)
            .fetch_optional(&mut *self.connection)
            .await?;
        self.count(present.is_some());
        let i_ivr_application = match present {
            Some(key) => key,
            None => next_id(self.connection, IIvrApplication::KIND).await?,
        };
        query(sql::PUT_APPLICATION)
            .bind(i_ivr_application)
            .bind(i_account)
            .bind(&application.name.text)
            .bind(application.on_app_gone.as_str())
            .execute(&mut *self.connection)
            .await?;
        let numbers: Vec<&Name> = application.access_numbers.iter().collect();
        self.numbers(i_customer, &numbers, Target::AccessNumber(i_ivr_application)).await
    }

    /// Leads exactly these numbers to a target; others that led there stay allocated to the
    /// customer.
    async fn numbers(
        &mut self,
        i_customer: i64,
        numbers: &[&Name],
        target: Target,
    ) -> Result<(), StoreError> {
        let (kind, key) = target.columns();
        let present: Vec<String> = query_scalar(sql::NUMBERS_OF)
            .bind(kind)
            .bind(key)
            .fetch_all(&mut *self.connection)
            .await?;
        let kept: HashSet<&str> = numbers.iter().map(|number| number.text.as_str()).collect();
        for number in present.iter().filter(|number| !kept.contains(number.as_str())) {
            self.put_number(i_customer, number, Target::Allocated).await?;
        }
        for number in numbers {
            self.number(i_customer, number, target).await?;
        }
        Ok(())
    }

    async fn number(
        &mut self,
        i_customer: i64,
        number: &Name,
        target: Target,
    ) -> Result<(), StoreError> {
        let present =
            query(sql::NUMBER).bind(&number.text).fetch_optional(&mut *self.connection).await?;
        if let Some(row) = present {
            let owner: i64 = row.get("i_customer")?;
            let kind: String = row.get("kind")?;
            let key: Option<i64> = row.get("target")?;
            let is_present = (kind.as_str(), key) == target.columns();
            if owner != i_customer {
                self.foreign(number, "number");
                return Ok(());
            }
            // A number in use that the customer lists as its own stays in use.
            if is_present || target == Target::Allocated {
                return Ok(());
            }
            if kind != Target::Allocated.columns().0 {
                let what = format!(
                    "the number `{}` leads to another {} already",
                    number.text,
                    kind.replace('_', " ")
                );
                self.wrong(&number.place, what, "take the number away there first");
                return Ok(());
            }
        }
        self.put_number(i_customer, &number.text, target).await
    }

    async fn put_number(
        &mut self,
        i_customer: i64,
        number: &str,
        target: Target,
    ) -> Result<(), StoreError> {
        let (kind, key) = target.columns();
        query(sql::PUT_NUMBER)
            .bind(number)
            .bind(i_customer)
            .bind(kind)
            .bind(key)
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    /// An account of this customer by its id; a problem when there is none.
    async fn own_account(&mut self, i_customer: i64, id: &Name) -> Result<Option<i64>, StoreError> {
        let found: Option<(i64, i64, i64)> =
            query_as(sql::ACCOUNT).bind(&id.text).fetch_optional(&mut *self.connection).await?;
        match found {
            Some((i_account, owner, _)) if owner == i_customer => Ok(Some(i_account)),
            Some(_) | None => {
                self.unknown(id, "account of this customer");
                Ok(None)
            }
        }
    }

    async fn run(&mut self, statement: &'static str, key: i64) -> Result<(), StoreError> {
        query(statement).bind(key).execute(&mut *self.connection).await?;
        Ok(())
    }

    fn foreign(&mut self, name: &Name, kind: &str) {
        let what = format!("the {kind} `{}` belongs to another customer", name.text);
        self.wrong(&name.place, what, "each number of the directory belongs to one customer");
    }
}
